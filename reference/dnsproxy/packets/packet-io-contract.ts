/**
 * What every `PacketIo` does, told as tests: run on the fake everywhere, on `node:dgram`, and on epoll where there
 * is one. `wake`, rounds, copies, and what the network does to nobody.
 */
import { expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import type { PacketHandler, PacketIo } from './packet-io.ts';

/** Somebody else on loopback: a guest, an upstream server, a stranger. */
export interface PacketPeer {
  readonly endpoint: DnsEndpoint;
  send(to: DnsEndpoint, message: Uint8Array): void;
  /** The next datagram; rejects when none comes for long. */
  next(): Promise<{ readonly from: DnsEndpoint; readonly message: Uint8Array }>;
  close(): void;
}

/** One `PacketIo` and the loopback around it. */
export interface PacketGround {
  readonly io: PacketIo;
  /** Where nobody is at the moment. */
  freeEndpoint(): Promise<DnsEndpoint>;
  peer(): Promise<PacketPeer>;
  /** Ends the io if it runs, and what else is open. */
  close(): Promise<void>;
}

interface Heard {
  readonly kind: 'guest' | 'upstream';
  /** Listener or socket. */
  readonly index: number;
  readonly from: DnsEndpoint;
  readonly message: Uint8Array;
}

const patienceMs = 10_000;
/** Below every port that a socket is given; nobody listens there (RFC 863). */
const discardPort = 9;

/** Keeps copies of what it is told, and counts rounds. */
class Recorder implements PacketHandler {
  readonly #heard: Heard[] = [];
  #waiting: (() => void)[] = [];
  rounds = 0;
  /** Said at the end of a round. */
  waitMs = Number.POSITIVE_INFINITY;
  onGuest: (listener: number, client: DnsEndpoint, message: Uint8Array) => void = () => undefined;
  onRound: () => void = () => undefined;

  guestMessage(listener: number, client: DnsEndpoint, message: Uint8Array): void {
    this.#note({ kind: 'guest', index: listener, from: plain(client), message: Uint8Array.from(message) });
    this.onGuest(listener, client, message);
  }

  upstreamMessage(socket: number, from: DnsEndpoint, message: Uint8Array): void {
    this.#note({ kind: 'upstream', index: socket, from: plain(from), message: Uint8Array.from(message) });
  }

  roundEnded(): number {
    this.rounds += 1;
    this.onRound();
    this.#tell();
    return this.waitMs;
  }

  #note(heard: Heard): void {
    this.#heard.push(heard);
    this.#tell();
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  async until(holds: () => boolean): Promise<void> {
    const end = performance.now() + patienceMs;
    while (!holds()) {
      if (performance.now() > end) throw new Error('it did not come about');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async next(): Promise<Heard> {
    await this.until(() => this.#heard.length > 0);
    return this.#heard.shift() as Heard;
  }
}

const octets = (...values: number[]) => Uint8Array.from(values);
const plain = ({ address, port }: DnsEndpoint) => ({ address, port });

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
  return 'none';
}

interface Stage extends PacketGround {
  readonly recorder: Recorder;
}

type Contract = (title: string, act: (stage: Stage) => Promise<void>) => void;

/** `make` gives one that nobody has run yet. */
export function packetIoContract(make: () => Promise<PacketGround>): void {
  const contract: Contract = (title, act) =>
    test(title, async () => {
      const ground = await make();
      try {
        await act({ ...ground, recorder: new Recorder() });
      } finally {
        await ground.close();
      }
    });
  listenerContract(contract);
  upstreamContract(contract);
  changeContract(contract);
  roundContract(contract);
}

/** Not awaited: it ends with `close`. */
function start({ io, recorder }: Stage): Promise<void> {
  return io.run(recorder);
}

function listenerContract(contract: Contract): void {
  contract(
    'hands a guest’s message over with its sender, and answers that one, from there',
    async (stage) => {
      const { io, recorder } = stage;
      const [here, there] = [await stage.freeEndpoint(), await stage.freeEndpoint()];
      const [first, second] = [io.listen(here), io.listen(there)];
      void start(stage);
      const [guest, other] = [await stage.peer(), await stage.peer()];
      guest.send(there, octets(1, 2, 3));
      expect(await recorder.next()).toEqual({
        kind: 'guest',
        index: second,
        from: plain(guest.endpoint),
        message: octets(1, 2, 3),
      });
      other.send(here, octets(4));
      expect(await recorder.next()).toMatchObject({ index: first, from: plain(other.endpoint) });
      io.answer(second, guest.endpoint, octets(7, 7));
      io.answer(first, other.endpoint, octets(8, 8));
      io.flush();
      expect(await guest.next()).toEqual({ from: plain(there), message: octets(7, 7) });
      expect(await other.next()).toEqual({ from: plain(here), message: octets(8, 8) });
    },
  );

  contract(
    'refuses an address that is taken, by itself or by another, and one that is nobody’s',
    async (stage) => {
      const { io } = stage;
      const here = await stage.freeEndpoint();
      io.listen(here);
      expect(refusalOf(() => io.listen(here))).toBe('address-taken');
      const peer = await stage.peer();
      expect(refusalOf(() => io.listen(peer.endpoint))).toBe('address-taken');
      expect(refusalOf(() => io.listen({ address: '192.0.2.77', port: 53 }))).toBe('no-such-address');
    },
  );

  contract('hears nothing on an address that it gave back, and can take it again', async (stage) => {
    const { io, recorder } = stage;
    const [here, there] = [await stage.freeEndpoint(), await stage.freeEndpoint()];
    const first = io.listen(here);
    const control = io.listen(there);
    void start(stage);
    const guest = await stage.peer();
    guest.send(here, octets(1));
    expect(await recorder.next()).toMatchObject({ index: first });
    io.unlisten(first);
    guest.send(here, octets(2));
    guest.send(there, octets(3));
    expect(await recorder.next()).toMatchObject({ index: control, message: octets(3) });
    const again = io.listen(here);
    expect(again).not.toBe(control);
    guest.send(here, octets(4));
    expect(await recorder.next()).toMatchObject({ index: again, message: octets(4) });
  });

  contract(
    'hands over a message of 4,096 octets whole, an empty one or none, and the one after',
    async (stage) => {
      const { io, recorder } = stage;
      const here = await stage.freeEndpoint();
      io.listen(here);
      void start(stage);
      const guest = await stage.peer();
      const long = Uint8Array.from({ length: 4_096 }, (_, index) => index & 255);
      guest.send(here, octets());
      guest.send(here, long);
      guest.send(here, octets(9));
      const first = await recorder.next();
      const whole = first.message.length === 0 ? await recorder.next() : first;
      expect(whole.message).toEqual(long);
      expect((await recorder.next()).message).toEqual(octets(9));
    },
  );
}

function upstreamContract(contract: Contract): void {
  contract('asks the server that is meant, and hands over what it replies', async (stage) => {
    const { io, recorder } = stage;
    const [one, two] = [await stage.peer(), await stage.peer()];
    io.setUpstreams([one.endpoint, two.endpoint]);
    void start(stage);
    for (const [upstream, server] of [one, two, one].entries()) {
      const socket = io.pickSocket(upstream % 2);
      expect(socket).not.toBeNull();
      expect(io.ask(socket as number, octets(5, upstream))).toBe(true);
      const { from, message } = await server.next();
      expect(message).toEqual(octets(5, upstream));
      server.send(from, octets(6, upstream));
      expect(await recorder.next()).toEqual({
        kind: 'upstream',
        index: socket,
        from: plain(server.endpoint),
        message: octets(6, upstream),
      });
    }
  });

  contract('never takes a stranger for the server', async (stage) => {
    const { io, recorder } = stage;
    const [server, stranger] = [await stage.peer(), await stage.peer()];
    io.setUpstreams([server.endpoint]);
    void start(stage);
    io.ask(io.pickSocket(0) as number, octets(1));
    const { from } = await server.next();
    stranger.send(from, octets(66));
    server.send(from, octets(2));
    for (;;) {
      const heard = await recorder.next();
      if (heard.message[0] === 66) expect(heard.from).toEqual(plain(stranger.endpoint));
      else {
        expect(heard).toMatchObject({ from: plain(server.endpoint), message: octets(2) });
        break;
      }
    }
  });

  contract(
    'picks among many sockets, each on a port of its own; none where there is no server',
    async (stage) => {
      const { io } = stage;
      expect(io.pickSocket(0)).toBeNull();
      const server = await stage.peer();
      io.setUpstreams([server.endpoint]);
      expect(io.pickSocket(1)).toBeNull();
      void start(stage);
      const picked = new Map<number, number>();
      for (let time = 0; time < 64; time++) {
        const socket = io.pickSocket(0) as number;
        io.ask(socket, octets(1));
        const { from } = await server.next();
        picked.set(socket, from.port);
      }
      expect(picked.size).toBeGreaterThan(1);
      expect(new Set(picked.values()).size).toBe(picked.size);
    },
  );
}

function changeContract(contract: Contract): void {
  contract('asks other servers from the moment that it is told of them', async (stage) => {
    const { io } = stage;
    const [before, after] = [await stage.peer(), await stage.peer()];
    io.setUpstreams([before.endpoint]);
    void start(stage);
    io.ask(io.pickSocket(0) as number, octets(1));
    expect((await before.next()).message).toEqual(octets(1));
    io.setUpstreams([after.endpoint]);
    io.ask(io.pickSocket(0) as number, octets(2));
    expect((await after.next()).message).toEqual(octets(2));
    io.setUpstreams([]);
    expect(io.pickSocket(0)).toBeNull();
  });

  contract('never throws for a server or a guest that is not there', async (stage) => {
    const { io, recorder } = stage;
    const here = await stage.freeEndpoint();
    // A port that was free a moment ago could become one of the sockets' own.
    const nobody = { ...here, port: discardPort };
    const server = await stage.peer();
    const listener = io.listen(here);
    io.setUpstreams([nobody, server.endpoint]);
    void start(stage);
    for (let time = 0; time < 16; time++) {
      io.ask(io.pickSocket(0) as number, octets(1));
      io.answer(listener, nobody, octets(2));
      io.flush();
      io.ask(io.pickSocket(1) as number, octets(3));
      server.send((await server.next()).from, octets(4));
      expect((await recorder.next()).message).toEqual(octets(4));
    }
  });
}

function roundContract(contract: Contract): void {
  contract('ends a round after every message, and when it is woken', async (stage) => {
    const { io, recorder } = stage;
    const here = await stage.freeEndpoint();
    io.listen(here);
    void start(stage);
    const guest = await stage.peer();
    for (let time = 0; time < 3; time++) {
      let roundsThen = Number.POSITIVE_INFINITY;
      recorder.onGuest = () => {
        roundsThen = recorder.rounds;
      };
      guest.send(here, octets(time));
      await recorder.next();
      await recorder.until(() => recorder.rounds > roundsThen);
    }
    const before = recorder.rounds;
    io.wake();
    await recorder.until(() => recorder.rounds > before);
  });

  contract('ends a round when the time comes that the last one asked for', async (stage) => {
    const { io, recorder } = stage;
    recorder.waitMs = 5;
    void start(stage);
    io.wake();
    await recorder.until(() => recorder.rounds > 3);
  });

  contract(
    'sends what it was given, whatever becomes of the buffer, and from within a call of its own',
    async (stage) => {
      const { io, recorder } = stage;
      const here = await stage.freeEndpoint();
      const server = await stage.peer();
      const listener = io.listen(here);
      io.setUpstreams([server.endpoint]);
      const guest = await stage.peer();
      const buffer = octets(1, 2);
      recorder.onGuest = (_, client) => {
        buffer.set([1, 2]);
        io.ask(io.pickSocket(0) as number, buffer);
        buffer.set([3, 4]);
        io.answer(listener, client, buffer);
        buffer.set([0, 0]);
      };
      recorder.onRound = () => io.flush();
      void start(stage);
      guest.send(here, octets(5));
      expect((await server.next()).message).toEqual(octets(1, 2));
      expect((await guest.next()).message).toEqual(octets(3, 4));
    },
  );

  contract('ends when it is closed, and leaves every address free', async (stage) => {
    const { io } = stage;
    const here = await stage.freeEndpoint();
    io.listen(here);
    const ended = start(stage);
    io.close();
    await ended;
    io.close();
    const next = await stage.freeEndpoint();
    expect(next).toBeDefined();
  });
}
