/**
 * Stands in for Firecracker where there is none: its API on its socket, each request held to the published description
 * and to the order that it asks for; its vsock; a guest that is a program. Run by the tests of the adapter.
 * Invariant: a request that Firecracker would refuse is refused.
 */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSocketServer, type Socket } from 'node:net';
import { Ajv, type ValidateFunction } from 'ajv';
import { type ChannelName, channelPorts } from '#reference/contract/guest-protocol.ts';
import { contractProgram } from '../contract-program.ts';
import type { FakeMemory } from '../fake-vmm.ts';
import { apiSchemas } from './api-schemas.ts';

type State = 'Not started' | 'Running' | 'Paused';
/** Held to its schema before it is read. */
interface Body {
  readonly state?: string;
  readonly kernel_image_path: string;
  readonly initrd_path: string;
  readonly uds_path: string;
  readonly mem_size_mib: number;
  readonly mem_file_path: string;
  readonly snapshot_path: string;
  readonly mem_backend: { readonly backend_path: string };
  readonly vsock_override?: { readonly uds_path: string };
}

const ajv = new Ajv();
const schemas = new Map<string, ValidateFunction>(
  Object.entries(apiSchemas).map(([name, schema]) => [name, ajv.compile(schema)]),
);
const mebi = 1 << 20;

/** One microVM. */
class StandIn {
  #state: State = 'Not started';
  #memory: FakeMemory = {};
  readonly #configured = new Map<string, Body>();
  #waiting: (() => void)[] = [];

  /** null: done; else the fault. */
  handle(name: string, body: Body): string | null {
    const validate = schemas.get(name);
    if (validate === undefined) return `no such request: ${name}`;
    if (!validate(body)) return ajv.errorsText(validate.errors);
    if (name === 'PATCH /vm') return this.#change(body.state === 'Paused' ? 'Paused' : 'Running');
    if (name === 'PUT /snapshot/create') return this.#create(body);
    if (this.#state !== 'Not started')
      return 'The requested operation is not supported after starting the microVM.';
    if (name === 'PUT /snapshot/load') return this.#load(body);
    if (name === 'PUT /actions') return this.#start();
    this.#configured.set(name, body);
    return null;
  }

  #start(): string | null {
    const source = this.#configured.get('PUT /boot-source');
    if (source === undefined) return 'Cannot start microvm without kernel configuration.';
    for (const path of [source.kernel_image_path, source.initrd_path]) readFileSync(path);
    this.#listen(this.#configured.get('PUT /vsock')?.uds_path);
    return this.#run('Running');
  }

  #change(state: State): string | null {
    if (this.#state === 'Not started') return 'The microVM is not started.';
    return this.#run(state);
  }

  #run(state: State): null {
    this.#state = state;
    if (state === 'Running') for (const go of this.#waiting.splice(0)) go();
    return null;
  }

  #create(body: Body): string | null {
    if (this.#state !== 'Paused') return 'save/restore unavailable while running';
    const machine = this.#configured.get('PUT /machine-config');
    writeFileSync(body.mem_file_path, JSON.stringify(this.#memory));
    truncateSync(body.mem_file_path, (machine?.mem_size_mib ?? 0) * mebi);
    writeFileSync(body.snapshot_path, JSON.stringify([...this.#configured]));
    return null;
  }

  #load(body: Body): string | null {
    if (this.#configured.size > 0)
      return 'Loading a microVM snapshot not allowed after configuring boot-specific resources.';
    const memory = readFileSync(body.mem_backend.backend_path);
    this.#memory = JSON.parse(memory.subarray(0, memory.indexOf(0)).toString()) as FakeMemory;
    const state = JSON.parse(readFileSync(body.snapshot_path, 'utf8')) as [string, Body][];
    for (const [name, configured] of state) this.#configured.set(name, configured);
    this.#listen(body.vsock_override?.uds_path);
    this.#state = 'Paused';
    return null;
  }

  /** The host's side of vsock (docs/vsock.md). */
  #listen(path: string | undefined): void {
    if (path !== undefined) createSocketServer((socket) => this.#connected(socket)).listen(path);
  }

  #connected(socket: Socket): void {
    let partial = '';
    let channel: ChannelName | null = null;
    socket.on('error', () => socket.destroy());
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${partial}${text}`.split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        if (channel !== null) {
          this.#line(socket, channel, line);
          continue;
        }
        channel = channelOf(line);
        if (channel === null) socket.destroy();
        else this.#whenRunning(() => socket.write('OK 1073741824\n'));
      }
    });
  }

  #line(socket: Socket, channel: ChannelName, line: string): void {
    const guest = {
      memory: this.#memory,
      disks: new Map(),
      send: (text: string) => void socket.write(`${text}\n`),
      print: (text: string) => console.log(text),
      end: () => process.exit(0),
    };
    this.#whenRunning(() => void contractProgram(guest, line, channel));
  }

  #whenRunning(act: () => void): void {
    if (this.#state === 'Running') act();
    else this.#waiting.push(act);
  }
}

function channelOf(line: string): ChannelName | null {
  const ports = Object.entries(channelPorts) as [ChannelName, number][];
  return ports.find(([, port]) => line === `CONNECT ${port}`)?.[0] ?? null;
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return JSON.parse(text) as Body;
}

function serve(path: string): void {
  const vm = new StandIn();
  createServer(async (request, response) => {
    let fault: string | null;
    try {
      fault = vm.handle(`${request.method} ${request.url}`, await bodyOf(request));
    } catch (error) {
      fault = String(error);
    }
    if (fault === null) response.writeHead(204).end();
    else response.writeHead(400).end(JSON.stringify({ fault_message: fault }));
  }).listen(path);
}

const [flag, path = ''] = process.argv.slice(2);
if (flag === '--version') console.log('Firecracker v0.0.0-stand-in');
else {
  serve(path);
  // A test that was killed leaves nothing behind.
  setInterval(() => process.ppid === 1 && process.exit(), 1_000);
}
