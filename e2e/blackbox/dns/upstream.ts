/**
 * The hostile upstream: what the server asks, it notes; what it is asked for, it answers as the part scripts
 * it. Invariant: it only ever speaks to whoever asked it, and its memory is bounded.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { encodeMessage, hexOf, type Labels, questionOf, replyTo } from '#properties/models/dns-message.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { type Endpoint, endpointText } from './endpoint.ts';
import { givenIn, keyOf } from './names.ts';

/** One query that reached the upstream. */
export interface Asked {
  readonly octets: Buffer;
  readonly hex: string;
  /** As it was written, case included. */
  readonly name: Labels;
  readonly type: number;
  readonly transport: 'udp' | 'tcp';
}

export interface Shot {
  readonly octets: readonly number[];
  readonly afterMs?: number;
  /** Default: from where the server asked. The others only over UDP. */
  readonly from?: 'other port' | 'other address';
}

export type Play = (asked: Asked) => readonly Shot[];

const maxNames = 20_000;
const maxOfName = 2_000;
const maxConnections = 256;
const maxTcpOctets = 65_537;
const idleMs = 10_000;

export class HostileUpstream {
  readonly #plays = new Map<string, Play>();
  /** By the part's own label; the oldest go first. */
  readonly #noted = new Map<string, Asked[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #connections = new Set<TcpSocket>();
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #strangers: Readonly<Record<string, Socket | null>>;
  readonly endpoint: Endpoint;
  asked = 0;

  private constructor(
    udp: Socket,
    tcp: Server,
    strangers: Record<string, Socket | null>,
    endpoint: Endpoint,
  ) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.#strangers = strangers;
    this.endpoint = endpoint;
    udp.on('message', (octets, from) => this.#overUdp(octets, from));
    tcp.on('connection', (socket) => this.#overTcp(socket));
    for (const socket of [udp, ...Object.values(strangers)]) {
      // ECONNREFUSED of a port that closed meanwhile: the answer came too late for whoever asked.
      socket?.on('error', () => undefined);
    }
  }

  /** Port 0: a free one, the same for UDP and TCP. Throws CodedError `no-upstream`. */
  static async open({ address, port }: Endpoint): Promise<HostileUpstream> {
    for (let tries = 0; ; tries++) {
      const opened: { close: () => unknown }[] = [];
      try {
        const udp = await boundUdp({ address, port }, opened);
        const tcp = await listening({ address, port: udp.address().port }, opened);
        const otherPort = await boundUdp({ address, port: 0 }, opened);
        const neighbour = address.startsWith('127.') ? '127.66.0.1' : null;
        const otherAddress =
          neighbour === null
            ? null
            : await boundUdp({ address: neighbour, port: 0 }, opened).catch(() => null);
        const strangers = { 'other port': otherPort, 'other address': otherAddress };
        return new HostileUpstream(udp, tcp, strangers, { address, port: udp.address().port });
      } catch (cause) {
        for (const one of opened) one.close();
        const { code } = cause as NodeJS.ErrnoException;
        if (code === undefined) throw cause;
        if (port === 0 && code === 'EADDRINUSE' && tries < 20) continue;
        throw new CodedError(
          'no-upstream-listener',
          `the upstream cannot listen on ${endpointText({ address, port })}: ${code}`,
          'name another with --upstream-listen ADDR:PORT, and tell the server',
          { cause },
        );
      }
    }
  }

  get hasOtherAddress(): boolean {
    return this.#strangers['other address'] !== null;
  }

  /** From now on this name, and every name below it that has no play of its own, is answered so. */
  script(name: Labels, play: Play): void {
    this.#plays.set(keyOf(name), play);
  }

  /** Queries for names that hold this label of a run, also inside another; bounded. */
  seen(label: string): readonly Asked[] {
    return this.#noted.get(label.toLowerCase()) ?? [];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#connections) socket.destroy();
    for (const socket of [this.#udp, ...Object.values(this.#strangers)]) socket?.close();
    await new Promise((resolve) => this.#tcp.close(resolve));
  }

  #note(octets: Buffer, transport: Asked['transport']): readonly Shot[] {
    this.asked += 1;
    // Less than a question of the root: there is nothing to answer.
    if (octets.length < 17) return [];
    const hex = octets.toString('hex');
    const { name, type } = questionOf(hex);
    const asked: Asked = { octets, hex, name, type, transport };
    this.#remember(asked);
    return (this.#playFor(name) ?? nothingThere)(asked);
  }

  #remember(asked: Asked): void {
    const given = givenIn(asked.name.join('.'));
    if (given === null) return;
    const list = this.#noted.get(given) ?? [];
    if (list.length < maxOfName) list.push(asked);
    this.#noted.set(given, list);
    if (this.#noted.size <= maxNames) return;
    for (const oldest of this.#noted.keys()) {
      this.#noted.delete(oldest);
      return;
    }
  }

  #playFor(name: Labels): Play | undefined {
    for (let from = 0; from < name.length; from++) {
      const play = this.#plays.get(keyOf(name.slice(from)));
      if (play !== undefined) return play;
    }
    return undefined;
  }

  #overUdp(octets: Buffer, { address, port }: RemoteInfo): void {
    for (const shot of this.#note(octets, 'udp')) {
      const socket = shot.from === undefined ? this.#udp : this.#strangers[shot.from];
      this.#later(shot.afterMs, () => socket?.send(Uint8Array.from(shot.octets), port, address));
    }
  }

  #overTcp(socket: TcpSocket): void {
    if (this.#connections.size >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    let buffered = Buffer.alloc(0);
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (more) => {
      buffered = Buffer.concat([buffered, more]);
      if (buffered.length > 2 * maxTcpOctets) socket.destroy();
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const octets = buffered.subarray(2, end);
        buffered = buffered.subarray(end);
        for (const shot of this.#note(octets, 'tcp')) {
          if (shot.from !== undefined) continue;
          const size = shot.octets.length;
          const framed = Buffer.from([size >> 8, size & 255, ...shot.octets]);
          this.#later(shot.afterMs, () => socket.destroyed || socket.write(framed));
        }
      }
    });
  }

  #later(afterMs: number | undefined, send: () => unknown): void {
    if (afterMs === undefined) {
      send();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, afterMs);
    this.#timers.add(timer);
  }
}

/** NODATA: what servers ask beside the question (DS, NS of a parent) exists and is empty. */
const nothingThere: Play = ({ hex }) => [{ octets: encodeMessage(replyTo(hex, [])) }];

function boundUdp({ address, port }: Endpoint, opened: { close: () => unknown }[]): Promise<Socket> {
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    recvBufferSize: 4 * 1024 * 1024,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      socket.close();
      reject(error);
    };
    socket.once('error', fail);
    socket.bind({ address, port, exclusive: true }, () => {
      opened.push(socket);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function listening({ address, port }: Endpoint, opened: { close: () => unknown }[]): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      opened.push(server);
      server.off('error', reject);
      resolve(server);
    });
  });
}

/** Hex of what a play says to a plain question: for people, nothing is sent. */
export function scripted(play: Play, queryHex: string): string[] {
  const { name, type } = questionOf(queryHex);
  const asked = {
    octets: Buffer.from(queryHex, 'hex'),
    hex: queryHex,
    name,
    type,
    transport: 'udp' as const,
  };
  return play(asked).map(({ octets }) => hexOf([...octets]));
}
