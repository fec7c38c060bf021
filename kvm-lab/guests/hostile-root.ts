/**
 * A root of a guest who is hostile: puts the lab's frames on eth0 by a packet socket, tells what comes, and when it is
 * asked to, lets the guest's own kernel speak. Part of a template, frozen before the snapshot: it holds nothing of the
 * network until a fork was released and somebody speaks to it.
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { constants, existsSync, openSync, writeFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { Links } from '#reference/guest/eth0.ts';
import {
  dataPart,
  type GuestAnswer,
  type GuestOrder,
  maxDataOctets,
  PartReader,
  packed,
} from './frame-pipe.ts';
import { hostileComm, pipes } from './hostile-names.ts';
import { PacketSocket, pathMtu, removeAddress } from './packet-socket.ts';

const device = 'eth0';
const maxWaitingOctets = 16 << 20;
const commandTimeoutMs = 10_000;

interface Exchange {
  send(octets: Buffer): void;
  close(): void;
}

class HostileRoot {
  readonly #out: Socket;
  readonly #exchanges = new Map<number, Exchange>();
  readonly #links = new Links();
  #eth0: PacketSocket | null = null;
  #refused = 0;
  #why = '';
  #beyond = 0;

  constructor(out: Socket) {
    this.#out = out;
  }

  frame(data: Buffer): void {
    const why = this.#eth0 === null ? 'not taken' : this.#eth0.send(data);
    if (why === null) return;
    this.#refused += 1;
    this.#why ||= why;
  }

  data(part: Buffer): void {
    this.#exchanges.get(part.readUInt32LE(0))?.send(part.subarray(4));
  }

  async order(id: number, order: GuestOrder): Promise<void> {
    try {
      const text = await this.#do(order);
      this.#answer({ id, ...(text === undefined ? {} : { text }), ...this.#fared(order) });
    } catch (error) {
      this.#answer({ id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  #fared({ do: what }: GuestOrder): Omit<GuestAnswer, 'id'> {
    if (what !== 'settle') return {};
    const fared = { refused: this.#refused, why: this.#why, beyond: this.#beyond };
    [this.#refused, this.#why, this.#beyond] = [0, '', 0];
    return fared;
  }

  async #do(order: GuestOrder): Promise<string | undefined> {
    switch (order.do) {
      case 'take':
        removeAddress(device);
        if (this.#eth0 !== null) return;
        this.#eth0 = new PacketSocket(device);
        this.#eth0.listen((frames) => this.#pass(frames));
        return;
      case 'settle':
        return;
      case 'be-silent':
        removeAddress(device);
        return;
      case 'be-honest':
        this.#links.configure({ address: order.address, gateway: order.gateway, resolvers: [] }, device);
        return;
      case 'exchange':
        this.#exchange(order);
        return;
      case 'close':
        this.#exchanges.get(order.exchange)?.close();
        this.#exchanges.delete(order.exchange);
        return;
      case 'path-mtu':
        return String(pathMtu(order.address));
    }
  }

  #pass(frames: readonly Buffer[]): void {
    if (this.#out.writableLength > maxWaitingOctets) this.#beyond += frames.length;
    else this.#out.write(Buffer.concat(frames.map((frame) => packed('frame', frame))));
  }

  #answer(answer: GuestAnswer): void {
    this.#out.write(packed('answer', Buffer.from(JSON.stringify(answer))));
  }

  #exchange({ exchange, protocol, address, port, deadlineMs }: GuestOrder & { do: 'exchange' }): void {
    const came = (octets: Buffer) => void this.#out.write(dataPart(exchange, octets));
    const over = () => {
      if (this.#exchanges.delete(exchange)) came(Buffer.alloc(0));
    };
    if (protocol === 'udp') {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.on('message', came).on('error', over);
      this.#exchanges.set(exchange, {
        send: (octets) => socket.send(octets, port, address),
        close: () => socket.close(),
      });
      return;
    }
    const socket = connect({ host: address, port, timeout: deadlineMs });
    socket
      .on('data', (octets) => {
        for (let at = 0; at < octets.length; at += maxDataOctets)
          came(octets.subarray(at, at + maxDataOctets));
      })
      .on('error', over)
      .on('close', over);
    this.#exchanges.set(exchange, { send: (octets) => socket.write(octets), close: () => socket.destroy() });
  }
}

/** One end of it; who comes and goes at the other does not end it: the descriptor is for both. */
function pipe(path: string, end: 'readable' | 'writable'): Socket {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return new Socket({ fd, readable: end === 'readable', writable: end === 'writable' });
}

// Declared fork-safe: it draws no random number, and answers as such processes must.
process.on('SIGUSR2', () => undefined);
writeFileSync('/proc/self/comm', hostileComm);
for (const scope of ['all', 'default', device]) {
  const path = `/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`;
  // Of its own accord this kernel says nothing.
  if (existsSync(path)) writeFileSync(path, '1');
}
spawnSync('/bin/busybox', ['mkfifo', pipes.toGuest, pipes.fromGuest], { timeout: commandTimeoutMs });
const root = new HostileRoot(pipe(pipes.fromGuest, 'writable'));
const reader = new PartReader(({ kind, data }) => {
  if (kind === 'frame') root.frame(data);
  else if (kind === 'data') root.data(data);
  else if (kind === 'order') {
    const { id, ...order } = JSON.parse(data.toString('utf8')) as GuestOrder & { id: number };
    void root.order(id, order as GuestOrder);
  }
});
pipe(pipes.toGuest, 'readable').on('data', (chunk: Buffer) => reader.read(chunk));
writeFileSync(pipes.ready, '');
