/**
 * The lab that `pnpm lab up` leaves running: a fork engine with one template, asked on a unix socket in its folder.
 * Invariant: the folder is named after this process; when it ends, however it ends, its VMs end, and `pnpm lab clean`
 * finds the rest.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import type { ForkEnginePort, Template } from '#reference/contract/fork-engine-port.ts';
import { openEngine } from '#reference/main/open-engine.ts';
import { guestArtifacts } from '../../artifacts/artifacts.ts';
import { zooWord } from '../../guests/zoo.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import { probeAccelerator } from './accelerator.ts';
import {
  type LabReply,
  type LabRequest,
  type LabStatus,
  linesOn,
  sendLine,
  socketName,
} from './lab-lines.ts';

/** From the process that starts it, as its only argument. */
export interface LabOrder {
  readonly kernel: string;
  /** `honest`, or one of the zoo. */
  readonly guest: string;
  readonly memoryMiB: number;
}

/** To the process that started it. */
export type LabReport =
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'ready'; readonly status: LabStatus }
  | { readonly kind: 'failed'; readonly error: Extract<LabReply, { error: unknown }>['error'] };

const warmForks = 1;
const execTimeoutMs = 3_600_000;
const maxOutputOctets = 1 << 30;

const report = (what: LabReport) => void process.send?.(what);
const say = (line: string) => report({ kind: 'progress', line });

function toldOf(error: unknown): Extract<LabReply, { error: unknown }>['error'] {
  if (error instanceof CodedError) {
    const { code, message, remediation } = error;
    return { code, message, remediation };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'lab-failed', message, remediation: 'see the log of the lab' };
}

class Lab {
  readonly #engine: ForkEnginePort;
  readonly #template: Template;
  readonly #status: Omit<LabStatus, 'sandboxes'>;
  readonly #down: () => Promise<void>;

  constructor(
    engine: ForkEnginePort,
    template: Template,
    status: Omit<LabStatus, 'sandboxes'>,
    down: () => Promise<void>,
  ) {
    this.#engine = engine;
    this.#template = template;
    this.#status = status;
    this.#down = down;
  }

  get status(): LabStatus {
    return { ...this.#status, sandboxes: this.#engine.sandboxes().length };
  }

  /** One request a connection. */
  async serve(socket: Socket): Promise<void> {
    const requests = linesOn<LabRequest>(socket);
    const { value: request } = await requests.next();
    if (request === undefined) return;
    if (request.verb === 'status') await sendLine(socket, { status: this.status });
    else if (request.verb === 'exec') await this.#exec(socket, request.argv, requests);
    else if (request.verb === 'down') {
      await this.#down();
      await sendLine(socket, { down: true });
    }
  }

  async #exec(socket: Socket, argv: readonly string[], requests: AsyncGenerator<LabRequest>): Promise<void> {
    const { id, releasedAfterMs } = await this.#engine.fork({
      template: this.#template.id,
      network: null,
      secrets: [],
    });
    try {
      const running = this.#engine.exec(
        id,
        { argv, stdin: true, timeout_ms: execTimeoutMs, max_output_octets: maxOutputOctets },
        (stream, octets) =>
          stream === 'data' ? undefined : sendLine(socket, { stream, data: octets.toString('base64') }),
      );
      // Whoever goes away ends it.
      socket.once('close', () => running.cancel());
      const given = (async () => {
        for await (const request of requests) {
          if (request.verb === 'stdin') await running.stdin(Buffer.from(request.data, 'base64'));
          if (request.verb === 'stdinEnd') running.stdinEnd();
        }
      })();
      given.catch(() => running.cancel());
      await sendLine(socket, { end: await running.ended, releasedAfterMs });
    } finally {
      await this.#engine.terminate(id);
    }
  }
}

async function up({ kernel, guest, memoryMiB }: LabOrder): Promise<void> {
  const artifacts = await guestArtifacts(kernel, guest === 'honest' ? 'honest' : 'zoo', say);
  const { accelerator, reason } = await probeAccelerator();
  say(`${accelerator}: ${reason}`);
  const folder = makeLabFolder('microvm');
  const log = openLog('lab', 'info');
  let engine: ForkEnginePort | undefined;
  try {
    engine = await openEngine({ folder: `${folder}/engine`, accelerator, network: 'none', log });
    say('building the template');
    const template = await engine.buildTemplate({
      kernel: { path: artifacts.kernel, sha256: artifacts.kernelSha256 },
      initrd: { path: artifacts.initrd, sha256: artifacts.initrdSha256 },
      commandLine: `${artifacts.commandLine}${guest === 'honest' ? '' : ` ${zooWord}=${guest}`}`,
      ...{ memoryMiB, cpus: 1, rootfs: null, init: [], allowProcesses: [] },
    });
    await engine.keepReady(template.id, warmForks);
    const server = createServer();
    const down = once(() => takeDown(server, folder, engine));
    const { vmm } = engine;
    const status = {
      ...{ pid: process.pid, kernel, guest, accelerator, reason, vmm, memoryMiB },
      ...{ template: template.id, buildMs: template.buildMs, sinceMs: Date.now() },
    };
    const lab = new Lab(engine, template, status, down);
    server.on('connection', (socket) => {
      lab.serve(socket).then(
        () => socket.end(),
        (error: unknown) => void sendLine(socket, { error: toldOf(error) }).then(() => socket.destroy()),
      );
      // A client that is killed.
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(`${folder}/${socketName}`, resolve);
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void down());
    report({ kind: 'ready', status: lab.status });
  } catch (error) {
    await engine?.close();
    removeLabFolder(folder);
    throw error;
  }
}

function once(act: () => Promise<void>): () => Promise<void> {
  let begun: Promise<void> | undefined;
  return () => {
    begun ??= act();
    return begun;
  };
}

async function takeDown(server: Server, folder: string, engine: ForkEnginePort | undefined): Promise<void> {
  server.close();
  try {
    await engine?.close();
  } finally {
    removeLabFolder(folder);
  }
}

try {
  await up(JSON.parse(process.argv[2] ?? '{}') as LabOrder);
} catch (error) {
  report({ kind: 'failed', error: toldOf(error) });
  process.exitCode = 1;
} finally {
  // From here on nobody waits for it; with nothing left to do it ends.
  process.disconnect?.();
}
