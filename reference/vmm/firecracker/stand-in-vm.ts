/**
 * One microVM of the stand-in: what Firecracker does with each request, in the order that it asks for.
 * Invariant: a request that Firecracker would refuse is refused, in its words where it has some; a load that fails ends
 * the process, as there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { Ajv, type ValidateFunction } from 'ajv';
import { SyscallError } from '#reference/base/syscalls.ts';
import { type ChannelName, channelPorts } from '#reference/contract/guest-protocol.ts';
import { contractProgram } from '../contract-program.ts';
import { type Operation, operations } from './api-description.ts';
import { StandInMemory } from './stand-in-memory.ts';
import { attachTap } from './tap-device.ts';

type State = 'Not started' | 'Running' | 'Paused';

/** Each is held to its schema before it is read. */
interface Body {
  readonly [member: string]: unknown;
}
interface Interface extends Body {
  readonly iface_id: string;
  readonly host_dev_name: string;
  readonly guest_mac?: string;
}

/** An answer of the API: 204 when there is neither. */
export interface Answer {
  readonly fault?: string;
  readonly data?: object;
  /** It is answered, and the process ends. */
  readonly isFatal?: true;
}

const ajv = new Ajv({ strict: false });
const schemas = new Map<string, ValidateFunction>(
  Object.entries(operations).flatMap(([name, { body }]) =>
    body === null ? [] : [[name, ajv.compile(body)] as const],
  ),
);
const done: Answer = {};
const version = '0.0.0-stand-in';
const words = {
  before: 'The requested operation is not supported before starting the microVM.',
  after: 'The requested operation is not supported after starting the microVM.',
  body: 'An error occurred when deserializing the json body of a request: ',
  load: 'Load snapshot error: ',
  running: 'Create snapshot error: Cannot save the microVM state: save/restore unavailable while running',
  kernel: 'Start microvm error: Cannot start microvm without kernel configuration.',
} as const;

export class StandInVm {
  #state: State = 'Not started';
  #memory: StandInMemory | null = null;
  #memoryMiB = 128;
  #isOfBoot = false;
  readonly #configured = new Map<string, Body>();
  readonly #interfaces = new Map<string, Interface>();
  /** Held open while it lives. */
  readonly #taps: number[] = [];
  readonly #waiting: (() => void)[] = [];

  /** @param body as it came; empty: none */
  async handle(method: string, path: string, body: string): Promise<Answer> {
    const found = operationOf(method, path);
    if (found === null) return { fault: `Invalid request method and/or path: ${method} ${path}.` };
    const { name, operation, id } = found;
    if (operation.body === null)
      return body === '' ? this.#tell(name) : { fault: 'GET request cannot have a body.' };
    if (body === '') return { fault: `Empty ${method} request.` };
    const read = readBody(name, body);
    if ('fault' in read) return read;
    const { value } = read;
    if (operation.id !== undefined) {
      if (id === '') return { fault: 'The ID cannot be empty.' };
      if (!/^\w+$/.test(id))
        return { fault: 'API Resource IDs can only contain alphanumeric characters and underscores.' };
      if (value[operation.id] !== id)
        return { fault: 'The id from the path does not match the id from the body!' };
    }
    if (operation.when === 'started' && this.#state === 'Not started') return { fault: words.before };
    if (operation.when === 'not started' && this.#state !== 'Not started') return { fault: words.after };
    if (operation.isOfBoot === true) this.#isOfBoot = true;
    return this.#act(name, value);
  }

  async #act(name: string, value: Body): Promise<Answer> {
    switch (name) {
      case 'PUT /actions':
        return this.#action(value.action_type as string);
      case 'PATCH /vm':
        return this.#run(value.state === 'Paused' ? 'Paused' : 'Running');
      case 'PUT /snapshot/create':
        return this.#create(value);
      case 'PUT /snapshot/load':
        return this.#load(value);
      case 'PUT /network-interfaces':
        return this.#addInterface(value as Interface);
      case 'PUT /machine-config':
        this.#memoryMiB = value.mem_size_mib as number;
        break;
      default:
    }
    this.#configured.set(name, value);
    return done;
  }

  #tell(name: string): Answer {
    if (name === 'GET /version') return { data: { firecracker_version: version } };
    return {
      data: { app_name: 'Firecracker', id: 'anonymous-instance', state: this.#state, vmm_version: version },
    };
  }

  async #action(type: string): Promise<Answer> {
    if (type !== 'InstanceStart') return this.#state === 'Not started' ? { fault: words.before } : done;
    if (this.#state !== 'Not started') return { fault: words.after };
    const source = this.#configured.get('PUT /boot-source');
    if (source === undefined) return { fault: words.kernel };
    try {
      for (const path of [source.kernel_image_path, source.initrd_path]) {
        if (path !== undefined) readFileSync(path as string);
      }
      await this.#listen(this.#configured.get('PUT /vsock')?.uds_path as string | undefined);
    } catch (error) {
      return { fault: `Start microvm error: ${String(error)}` };
    }
    this.#memory = StandInMemory.booted(this.#memoryMiB);
    return this.#run('Running');
  }

  #run(state: State): Answer {
    this.#state = state;
    if (state === 'Running') for (const go of this.#waiting.splice(0)) go();
    return done;
  }

  #addInterface(added: Interface): Answer {
    const { guest_mac: mac, iface_id: id } = added;
    const others = [...this.#interfaces.values()].filter((one) => one.iface_id !== id);
    if (mac !== undefined && others.some((one) => one.guest_mac === mac))
      return { fault: `Network config error: The MAC address is already in use: ${mac}` };
    const fault = this.#attach(added.host_dev_name);
    if (fault !== null)
      return { fault: `Network config error: Could not create the network device: ${fault}` };
    this.#interfaces.set(id, added);
    return done;
  }

  /** null: it is ours. */
  #attach(name: string): string | null {
    try {
      this.#taps.push(attachTap(name));
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return `Open tap device failed: ${error.message}: ${name}`;
    }
  }

  #create(body: Body): Answer {
    if (this.#state !== 'Paused') return { fault: words.running };
    this.#memory?.write(body.mem_file_path as string);
    const state = {
      memoryMiB: this.#memoryMiB,
      configured: [...this.#configured],
      interfaces: [...this.#interfaces],
    };
    writeFileSync(body.snapshot_path as string, JSON.stringify(state));
    return done;
  }

  async #load(body: Body): Promise<Answer> {
    if (this.#isOfBoot) {
      return {
        fault: `${words.load}Loading a microVM snapshot not allowed after configuring boot-specific resources.`,
      };
    }
    try {
      await this.#restore(body);
    } catch (error) {
      return {
        fault: `${words.load}Failed to restore from snapshot: ${String(error)}`,
        isFatal: true,
      };
    }
    this.#state = 'Paused';
    return body.resume_vm === true ? this.#run('Running') : done;
  }

  async #restore(body: Body): Promise<void> {
    const saved = JSON.parse(readFileSync(body.snapshot_path as string, 'utf8')) as {
      readonly memoryMiB: number;
      readonly configured: readonly (readonly [string, Body])[];
      readonly interfaces: readonly (readonly [string, Interface])[];
    };
    this.#memoryMiB = saved.memoryMiB;
    const { backend_path: path = body.mem_file_path } = (body.mem_backend ?? {}) as {
      backend_path?: unknown;
    };
    this.#memory = StandInMemory.loaded(path as string, saved.memoryMiB);
    for (const [name, configured] of saved.configured) this.#configured.set(name, configured);
    for (const [id, one] of saved.interfaces) this.#interfaces.set(id, one);
    for (const { iface_id: id, host_dev_name: name } of (body.network_overrides ?? []) as Interface[]) {
      const known = this.#interfaces.get(id);
      if (known === undefined) throw new Error('Unknown Network Device.');
      this.#interfaces.set(id, { ...known, host_dev_name: name });
    }
    for (const { host_dev_name: name } of this.#interfaces.values()) {
      const fault = this.#attach(name);
      if (fault !== null) throw new Error(fault);
    }
    const vsock = this.#configured.get('PUT /vsock');
    const override = body.vsock_override as { readonly uds_path: string } | undefined;
    if (override !== undefined && vsock === undefined) throw new Error('Unknown Vsock Device.');
    await this.#listen((override ?? vsock)?.uds_path as string | undefined);
  }

  /** The host's side of vsock (docs/vsock.md). @throws when the path is taken */
  async #listen(path: string | undefined): Promise<void> {
    if (path === undefined) return;
    await new Promise<void>((resolve, reject) => {
      createServer((socket) => this.#connected(socket))
        .once('error', reject)
        .listen(path, resolve);
    });
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
    this.#whenRunning(async () => {
      const memory = this.#memory;
      if (memory === null) return;
      const guest = {
        memory: memory.remembered,
        disks: new Map(),
        send: (text: string) => {
          memory.keep();
          socket.write(`${text}\n`);
        },
        print: (text: string) => console.log(text),
        end: () => process.exit(0),
      };
      await contractProgram(guest, line, channel);
    });
  }

  #whenRunning(act: () => unknown): void {
    if (this.#state === 'Running') act();
    else this.#waiting.push(() => void act());
  }
}

/** null: there is no such path, or not with that method. */
function operationOf(
  method: string,
  path: string,
): { readonly name: string; readonly operation: Operation; readonly id: string } | null {
  const whole = operations[`${method} ${path}`];
  if (whole !== undefined && whole.id === undefined) {
    return { name: `${method} ${path}`, operation: whole, id: '' };
  }
  const [, folder = '', id = ''] = /^(\/[^/]+)\/?([^/]*)$/.exec(path) ?? [];
  const name = `${method} ${folder}`;
  const operation = operations[name];
  return operation?.id === undefined ? null : { name, operation, id };
}

function readBody(name: string, text: string): { readonly value: Body } | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: `${words.body}${(error as Error).message}.` };
  }
  const validate = schemas.get(name);
  if (validate?.(value) === true) return { value: value as Body };
  return { fault: `${words.body}${ajv.errorsText(validate?.errors)}.` };
}

function channelOf(line: string): ChannelName | null {
  const ports = Object.entries(channelPorts) as [ChannelName, number][];
  return ports.find(([, port]) => line === `CONNECT ${port}`)?.[0] ?? null;
}
