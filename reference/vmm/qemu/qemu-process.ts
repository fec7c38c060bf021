/**
 * One process of QEMU with its sockets and its scratch memory, from its start until nothing of it is left.
 * Invariant: whatever goes wrong on the way up, it is taken down again; `release` ends it within a deadline.
 */
import { ftruncateSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createMemfd } from '#reference/base/memfd.ts';
import { close, socketPair } from '#reference/base/syscalls.ts';
import type { ChannelName } from '#reference/contract/guest-protocol.ts';
import type { VmEnd } from '#reference/contract/vmm-port.ts';
import type { ConfinedLauncher, LaunchedProcess, ProcessLimits } from '../confinement/confined-launcher.ts';
import { ConsoleTail } from '../console.ts';
import { descriptors, ofDescriptor } from './arguments.ts';
import { QmpClient, qmpFault } from './qmp.ts';

const endDeadlineMs = 10_000;

export interface QemuOrder {
  readonly binary: string;
  readonly parameters: readonly string[];
  readonly limits: ProcessLimits;
  readonly memoryFd: number;
  /** Descriptors 9 and on. */
  readonly furtherFds: readonly number[];
  /** `QEMU emulator version …`, as the greeting says it. */
  readonly version: string;
  /** A fork has its device state among its descriptors, and loads it at once. */
  readonly isFork: boolean;
}

/** Our end of a connected pair, and the child's, which is closed once the child has it. */
function connected(): { readonly ours: Socket; readonly theirs: number } {
  const [ours, theirs] = socketPair();
  const socket = new Socket({ fd: ours, readable: true, writable: true });
  // How a VM ends is told by `ended`; a stream that breaks then is no news.
  socket.on('error', () => undefined);
  return { ours: socket, theirs };
}

export class QemuProcess {
  readonly qmp: QmpClient;
  readonly channels: Readonly<Record<ChannelName, Duplex>>;
  readonly #process: LaunchedProcess;
  readonly #sockets: readonly Socket[];
  readonly #scratch: number;
  readonly #console: ConsoleTail;
  readonly #said: ConsoleTail;
  #released: Promise<void> | null = null;

  private constructor(process: LaunchedProcess, sockets: QemuSockets, scratch: number) {
    this.#process = process;
    this.#scratch = scratch;
    this.#sockets = Object.values(sockets);
    this.qmp = new QmpClient(sockets.monitor);
    this.channels = { control: sockets.control, services: sockets.services };
    this.#console = new ConsoleTail(sockets.console);
    this.#said = new ConsoleTail(sockets.said);
  }

  /** Greeted, loaded when it is a fork, and ready for commands. @throws CodedError `vmm-failed` */
  static async start(launcher: ConfinedLauncher, order: QemuOrder): Promise<QemuProcess> {
    const scratch = createMemfd('scratch');
    const pairs = {
      said: connected(),
      monitor: connected(),
      console: connected(),
      control: connected(),
      services: connected(),
    };
    const ours = {
      said: pairs.said.ours,
      monitor: pairs.monitor.ours,
      console: pairs.console.ours,
      control: pairs.control.ours,
      services: pairs.services.ours,
    };
    const [said, monitor, ...others] = Object.values(pairs).map(({ theirs }) => theirs) as [number, number];
    const fds = [said, said, monitor, ...others, order.memoryFd, scratch, ...order.furtherFds];
    let process: LaunchedProcess;
    try {
      process = await launcher.launch([order.binary, ...order.parameters], fds, order.limits);
    } catch (error) {
      for (const socket of Object.values(ours)) socket.destroy();
      close(scratch);
      throw error;
    } finally {
      for (const { theirs } of Object.values(pairs)) close(theirs);
    }
    const qemu = new QemuProcess(process, ours, scratch);
    try {
      // All that it is asked is written at once: an answer that is waited for is a way through two processes.
      await Promise.all([qemu.#greet(order.version), order.isFork ? qemu.#loadDevices() : null]);
      return qemu;
    } catch (cause) {
      await qemu.release();
      throw qemu.explained(cause);
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<VmEnd> {
    return this.#process.ended;
  }

  consoleTail(): string {
    return this.#console.text();
  }

  /** The error, with the last line that QEMU said of itself. */
  explained(cause: unknown): Error {
    const last = this.#said.text().trim().split('\n').at(-1) ?? '';
    if (last === '') return cause instanceof Error ? cause : qmpFault(String(cause));
    return qmpFault(
      `${cause instanceof Error ? cause.message : String(cause)}; QEMU said: ${last.slice(0, 300)}`,
      cause,
    );
  }

  /** Octets of guest-physical memory. */
  async readMemory(address: bigint, octets: number): Promise<Buffer> {
    await this.writeScratch('pmemsave', { val: Number(address), size: octets });
    const read = Buffer.alloc(octets);
    if (readSync(this.#scratch, read, 0, octets, 0) !== octets) throw qmpFault('the VMM wrote too little');
    return read;
  }

  /** Has QEMU write into the scratch memory, which holds that and nothing else then. @returns its descriptor */
  async writeScratch(
    command: string,
    parameters: Readonly<Record<string, unknown>>,
    deadlineMs?: number,
  ): Promise<number> {
    ftruncateSync(this.#scratch, 0);
    const filename = ofDescriptor(descriptors.scratch);
    await this.qmp.execute(command, { ...parameters, filename }, deadlineMs);
    return this.#scratch;
  }

  async #greet(expected: string): Promise<void> {
    const { qemu: version, package: packaged } = (await this.qmp.greet()).QMP.version;
    const greeted = versionText(version, packaged);
    if (greeted !== expected) throw qmpFault(`this is QEMU ${greeted}, not ${expected} any more`);
  }

  /** Of a fork: from the descriptor that it was given. */
  async #loadDevices(): Promise<void> {
    const over = this.qmp.event(
      ({ event, data }) =>
        event === 'MIGRATION' && (data?.status === 'completed' || data?.status === 'failed'),
    );
    const capabilities = [{ capability: 'events', state: true }];
    const [{ data }] = await Promise.all([
      over,
      this.qmp.execute('migrate-set-capabilities', { capabilities }),
      this.qmp.execute('migrate-incoming', { uri: `fd:${descriptors.deviceState}` }),
    ]);
    if (data?.status !== 'completed') throw qmpFault('the device state cannot be loaded');
  }

  /** Idempotent. @throws CodedError `vmm-failed` when the process does not end */
  release(): Promise<void> {
    this.#released ??= this.#end();
    return this.#released;
  }

  async #end(): Promise<void> {
    this.#process.kill();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(qmpFault(`process ${this.pid} does not end`)), endDeadlineMs);
    try {
      await Promise.race([this.#process.ended, promise]);
    } finally {
      clearTimeout(timer);
      for (const socket of this.#sockets) socket.destroy();
      close(this.#scratch);
    }
  }
}

type QemuSockets = Readonly<Record<'said' | 'monitor' | 'console' | 'control' | 'services', Socket>>;

export function versionText(
  { major, minor, micro }: { readonly major: number; readonly minor: number; readonly micro: number },
  packaged: string,
): string {
  return packaged === '' ? `${major}.${minor}.${micro}` : `${major}.${minor}.${micro} (${packaged})`;
}
