/**
 * A fork of a snapshot for tests: the reference's agent, or one of the zoo, over a model of the kernel's generator, on
 * unix sockets. Siblings of one snapshot share what the model says that forks share.
 * Invariant: nothing of this machine is touched; what ends a machine in the zoo closes the sockets here.
 */
import { hash, randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { behaviours, type Meddling, releases } from '#kvm-lab/guests/zoo-behaviours.ts';
import { type Device, type ForkClock, KernelGenerator } from '#properties/models/kernel-generator.ts';
import { honestLine } from '#properties/models/reseed-guest.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { ControlRequest } from '#reference/contract/guest-protocol.ts';
import type { Agent } from '#reference/guest/agent.ts';
import { LineFeed, type LineHandler } from '#reference/guest/channel.ts';
import { FakeKernel } from '#reference/guest/fake-kernel.ts';
import type { Line } from '#reference/guest/line-reader.ts';
import { readControl, readService } from '#reference/guest/read-request.ts';

export interface Snapshot {
  readonly name: string;
  readonly clock: ForkClock;
  readonly device: Device;
  /** Drawn before it, and so in all forks. */
  readonly sample: string;
  readonly seed: Buffer;
  /** What a process keeps of its own. */
  readonly ofProcess: Buffer;
}

export const snapshotOf = (more: Partial<Snapshot> = {}): Snapshot => ({
  ...{ name: randomBytes(8).toString('hex'), clock: 'jitter', device: 'working' },
  sample: hash('sha256', randomBytes(32)),
  seed: randomBytes(64),
  ofProcess: randomBytes(32),
  ...more,
});

/** Stands between host and agent; undefined: the agent answers. */
export type Tamper = (
  line: Line,
  answer: () => Promise<object>,
  socket: Socket,
) => object | undefined | Promise<object | undefined>;

export interface Practice {
  readonly folder: string;
  readonly n: number;
  readonly snapshot: Snapshot;
  /** Of the zoo. */
  readonly guest?: string;
  readonly control?: Tamper;
  readonly services?: Tamper;
}

type Write = (octets: string | Buffer) => Promise<void>;
type Scene = Parameters<NonNullable<ReturnType<typeof behaviours.get>>>[0];

const RNDADDENTROPY = 0x40085203;
const errnos: Readonly<Record<string, number>> = { ENOTTY: 25, EPERM: 1, EINVAL: 22 };
const invented = ({ asked }: Scene) => hash('sha256', `invented ${asked.nonce}`);
const vanishing = ['halts', 'reboots', 'powers-off', 'panics', 'exits', 'eats-memory', 'panics-at-release'];
const brokenDevices: Readonly<Record<string, Device>> = {
  enotty: 'regular file',
  'no-sys-admin': 'no CAP_SYS_ADMIN',
};
const deviceOf = (guest: string) => brokenDevices[guest.replace(/-lying$/, '')];
/** What it does elsewhere takes a machine, or a minute. */
const sameAs: Readonly<Record<string, string>> = {
  'busy-loop': 'silent',
  slow: 'silent',
  uncredited: 'nothing-done',
};

export class PracticeGuest {
  readonly controlPath: string;
  readonly servicesPath: string;
  readonly #given: Practice;
  readonly #kernel = new FakeKernel();
  readonly #generator: KernelGenerator;
  readonly #agent: Agent;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #memory: Scene['memory'] = { answer: null };

  private constructor(given: Practice) {
    const { folder, n, snapshot, guest = 'honest' } = given;
    this.#given = given;
    this.controlPath = `${folder}/${n}.control`;
    this.servicesPath = `${folder}/${n}.services`;
    const device = deviceOf(guest) ?? snapshot.device;
    this.#generator = KernelGenerator.fork(snapshot.name, n, snapshot.clock, device);
    const { calls } = this.#kernel;
    calls.ioctl = (_, request, argument) => this.#ioctl(request, argument);
    calls.getrandom = (into) => Buffer.from(this.#draw(), 'hex').copy(into);
    this.#agent = this.#kernel.agent();
  }

  static async open(given: Practice): Promise<PracticeGuest> {
    const practice = new PracticeGuest(given);
    // As a snapshot leaves it.
    await practice.#agent.control({ method: 'prepare_snapshot' });
    await practice.#listen(practice.controlPath, (socket) => practice.#controlOf(socket));
    await practice.#listen(practice.servicesPath, (socket) => practice.#servicesOf(socket));
    return practice;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** 32 octets, hex, as a process of the guest draws them. */
  draw(): string {
    return this.#draw();
  }

  #draw(): string {
    return this.#generator.read();
  }

  #ioctl(request: number, argument: Uint8Array): number {
    const info = Buffer.from(argument);
    const { ret, errno } = this.#generator.execute(
      request === RNDADDENTROPY
        ? { call: 'RNDADDENTROPY', entropyBits: info.readInt32LE(0), octets: info.toString('hex', 8) }
        : { call: 'RNDRESEEDCRNG' },
    );
    if (errno !== null) throw new SyscallError('ioctl', errnos[errno] ?? 5);
    return ret;
  }

  #listen(path: string, handlerOf: (socket: Socket) => LineHandler): Promise<void> {
    let peer: Socket | null = null;
    const server = createServer((socket) => {
      // One host at a time.
      if (peer !== null) return void socket.destroy();
      peer = socket;
      this.#sockets.add(socket);
      const feed = new LineFeed(handlerOf(socket), (message) =>
        writeTo(socket)(`${JSON.stringify(message)}\n`),
      );
      const gone = () => {
        socket.destroy();
        this.#sockets.delete(socket);
        peer = null;
        feed.disconnected();
      };
      void (async () => {
        for await (const chunk of socket) await feed.feed(chunk);
      })().then(gone, gone);
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
  }

  async #answer(line: Line): Promise<object> {
    const reading = readControl(line);
    return 'error' in reading ? { ok: false, error: reading.error } : this.#agent.control(reading.request);
  }

  #controlOf(socket: Socket): LineHandler {
    const { guest = 'honest', control } = this.#given;
    const write = writeTo(socket);
    if (guest === 'speaks-first') this.#speakFirst(socket);
    return {
      line: async (line, send) => {
        const tampered = await control?.(line, () => this.#answer(line), socket);
        if (tampered !== undefined) return send(tampered);
        const method = methodOf(line);
        if (method === 'notify_forked' && guest !== 'honest') return this.#behave(guest, line, write);
        if (method === 'release' && vanishing.includes(guest)) return this.close();
        const atRelease = method === 'release' ? releases.get(guest) : undefined;
        if (atRelease !== undefined) return atRelease(write);
        await send(await this.#answer(line));
      },
      disconnected: () => undefined,
    };
  }

  #speakFirst(socket: Socket): void {
    const timer = setInterval(() => socket.write('{"ok":true,"reseeded_rng":true}\n'), 5);
    socket.once('close', () => clearInterval(timer));
  }

  async #behave(guest: string, line: Line, write: Write): Promise<void> {
    const scene: Scene = {
      asked: JSON.parse(line ?? '') as Scene['asked'],
      memory: this.#memory,
      beforeSnapshot: this.#given.snapshot,
      honest: () => this.#answer(line),
      meddle: (how) => this.#meddle(how),
      write,
    };
    if (deviceOf(guest) !== undefined) {
      const answer = JSON.stringify(await scene.honest());
      return write(`${guest.endsWith('-lying') ? honestLine(invented(scene), scene.asked) : answer}\n`);
    }
    if (vanishing.includes(guest) && !releases.has(guest)) return this.close();
    await behaviours.get(sameAs[guest] ?? guest)?.(scene);
  }

  #meddle(how: Meddling): void {
    const { calls } = this.#kernel;
    const { ioctl } = calls;
    calls.ioctl = (fd, request, argument) => {
      const handed = how(request, argument);
      return handed === null ? 0 : ioctl(fd, request, handed);
    };
  }

  #servicesOf(socket: Socket): LineHandler {
    const { services } = this.#given;
    return {
      line: async (line, send) => {
        const reading = readService(line);
        const { id } = reading;
        if ('request' in reading && reading.request.method === 'ack') return;
        const tampered = await services?.(line, async () => ({ id, ok: false, error: 'no' }), socket);
        if (tampered !== undefined) return send(tampered);
        const refusal = 'error' in reading ? reading.error : this.#agent.refusal('exec');
        if (refusal !== null) return send({ id, ok: false, error: refusal });
        const isSilent = line?.includes('"true"') === true;
        const data = Buffer.from(`${this.#draw()}${this.#draw()}`, 'hex').toString('base64');
        if (!isSilent) await send({ id, stream: 'stdout', data });
        await send({ id, ok: true, exit_code: 0 });
      },
      disconnected: () => undefined,
    };
  }
}

function methodOf(line: Line): ControlRequest['method'] | null {
  const reading = readControl(line);
  return 'error' in reading ? null : reading.request.method;
}

/** Rejects once nobody is there. */
function writeTo(socket: Socket): Write {
  return (octets) =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(new Error('nobody is there'));
      socket.write(octets, (error) => (error ? reject(error) : resolve()));
    });
}
