/**
 * Datagrams by epoll, recvmmsg and sendmmsg: the fast adapter of `PacketIo`, for a thread of its own.
 * Invariant: the memory is laid out once, and nothing a peer sends makes it grow; what one listener or socket gives
 * in a round is bounded, so that none starves the others; `close` leaves no descriptor.
 */
import {
  epollWait,
  epollWaitBeside,
  errno,
  receiveFrom,
  receiveMany,
  sendMany,
  sendOne,
} from '../../base/datagram-syscalls.ts';
import { RandomPool } from '../../base/random-pool.ts';
import { close, epollControl, epollCreate, eventfd } from '../../base/syscalls.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { DatagramMemory, MSG_TRUNC, slotOctets } from './datagram-memory.ts';
import { clearWake, wakeThrough } from './event-signal.ts';
import type { PacketHandler, PacketIo } from './packet-io.ts';
import { EndpointCache, sameOctets, socketAddressOctets, toSocketEndpoint } from './socket-address.ts';
import { boundTo, openListener } from './udp-socket.ts';
import { type UpstreamPoolOptions, UpstreamPools } from './upstream-pools.ts';
import { UpstreamSockets } from './upstream-sockets.ts';

const CLOEXEC = 0x80000;
const NONBLOCK = 0x800;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const MSG_DONTWAIT = 0x40;
const sendFlags = MSG_DONTWAIT | 0x4000; // MSG_NOSIGNAL

/** Messages that one listener hands over in a round. */
const listenerBatch = 64;
const mostEvents = 256;
const mostQueued = 256;
const longestWaitMs = 1 << 30;

export interface EpollIoOptions extends UpstreamPoolOptions {
  /** `blocking`: the thread does nothing else. `beside`: its event loop turns while a thread of the pool waits. */
  readonly wait: 'blocking' | 'beside';
}

export const epollIoDefaults: EpollIoOptions = {
  socketsPerUpstream: 512,
  renewEveryMs: 20,
  lingerMs: 10_000,
  wait: 'blocking',
  say: (sentence) => process.emitWarning(sentence),
};

export interface EpollIoCounters {
  rounds: number;
  /** Answers that the network did not take, or whose listener is gone. */
  answersDropped: number;
  /** Messages, in either direction, that no slot holds. */
  oversized: number;
  /** Nobody is there, or no way there: ICMP said so. */
  upstreamErrors: number;
}

/** Once around the event loop of this thread. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Listener {
  readonly id: number;
  readonly fd: number;
}

export class EpollIo implements PacketIo {
  readonly counters: EpollIoCounters = { rounds: 0, answersDropped: 0, oversized: 0, upstreamErrors: 0 };
  /** Whoever writes to it by `wakeThrough`, in whatever thread, ends the wait. */
  readonly wakeFd: number;
  readonly #wait: EpollIoOptions['wait'];
  readonly #epoll: number;
  readonly #memory = new DatagramMemory({ received: listenerBatch, queued: mostQueued, events: mostEvents });
  readonly #peers = new EndpointCache(this.#memory.buffer);
  readonly #random = new RandomPool();
  /** Who waits for a descriptor. */
  readonly #owners: (Listener | UpstreamSockets | undefined)[] = [];
  readonly #listeners = new Map<number, Listener>();
  readonly #upstreams: UpstreamPools;
  /** Listeners of the answers that are queued, in order. */
  readonly #queue: number[] = [];
  #nextListener = 0;
  #isRunning = false;
  #isClosed = false;

  /** @throws CodedError `unsupported-machine` */
  constructor(options: Partial<EpollIoOptions> = {}) {
    const all = { ...epollIoDefaults, ...options };
    this.#wait = all.wait;
    this.#upstreams = new UpstreamPools(all, {
      opened: (fd, owner) => this.#own(fd, owner),
      closed: (fd) => this.#disown(fd),
    });
    this.#epoll = epollCreate(CLOEXEC);
    this.wakeFd = eventfd(CLOEXEC | NONBLOCK);
    this.#control(EPOLL_CTL_ADD, this.wakeFd);
  }

  #control(operation: number, fd: number): void {
    const event = new DataView(new ArrayBuffer(16));
    event.setUint32(0, EPOLLIN, true);
    event.setInt32(this.#memory.eventDataOffset, fd, true);
    epollControl(this.#epoll, operation, fd, new Uint8Array(event.buffer));
  }

  #own(fd: number, owner: Listener | UpstreamSockets): void {
    try {
      this.#control(EPOLL_CTL_ADD, fd);
    } catch (error) {
      close(fd);
      throw error;
    }
    this.#owners[fd] = owner;
  }

  /** Said to the kernel too: a copy in a child would keep it in the set. */
  #disown(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd);
    this.#owners[fd] = undefined;
  }

  listen(endpoint: DnsEndpoint): number {
    return this.adopt(openListener(endpoint));
  }

  /** Takes over a bound UDP socket that never waits, such as one that was made in another network namespace. */
  adopt(fd: number): number {
    const listener = { id: this.#nextListener++, fd };
    this.#own(fd, listener);
    this.#listeners.set(listener.id, listener);
    return listener.id;
  }

  /** Where a listener is bound; null for one that is closed. */
  endpointOf(listener: number): DnsEndpoint | null {
    const known = this.#listeners.get(listener);
    return known === undefined ? null : boundTo(known.fd);
  }

  unlisten(listener: number): void {
    const known = this.#listeners.get(listener);
    if (known === undefined) return;
    this.flush();
    this.#listeners.delete(listener);
    this.#disown(known.fd);
    close(known.fd);
  }

  setUpstreams(servers: readonly DnsEndpoint[]): void {
    this.#upstreams.set(servers, performance.now());
  }

  /** Source ports of the sockets to an upstream. */
  portsOf(upstream: number): number[] {
    return this.#upstreams.portsOf(upstream);
  }

  pickSocket(upstream: number): number | null {
    return this.#upstreams.pick(upstream, this.#random);
  }

  ask(socket: number, message: Uint8Array): boolean {
    const owner = this.#owners[socket];
    if (!(owner instanceof UpstreamSockets) || this.#isOversized(message)) return false;
    owner.wasAsked = true;
    const { asked, base, bytes } = this.#memory;
    bytes.set(message, asked);
    return sendOne(socket, base + asked, message.length, sendFlags) >= 0;
  }

  #isOversized({ length }: Uint8Array): boolean {
    if (length <= slotOctets) return false;
    this.counters.oversized += 1;
    return true;
  }

  answer(listener: number, client: DnsEndpoint, message: Uint8Array): void {
    if (this.#isOversized(message)) return;
    if (this.#queue.length === mostQueued) this.flush();
    this.#memory.queued.put(this.#queue.length, toSocketEndpoint(client).raw, message);
    this.#queue.push(listener);
  }

  flush(): void {
    const queue = this.#queue;
    for (let from = 0; from < queue.length; ) {
      const listener = queue[from] as number;
      let to = from + 1;
      while (queue[to] === listener) to += 1;
      this.#send(this.#listeners.get(listener), from, to);
      from = to;
    }
    queue.length = 0;
  }

  /** What stands in the slots from `from` to before `to`, all of one listener. */
  #send(listener: Listener | undefined, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const result =
        listener === undefined
          ? -errno.EAGAIN
          : sendMany(listener.fd, this.#memory.queued.header(at), to - at, sendFlags);
      // A queue that is full is full for the others too; else it was the one answer that was refused.
      const isFull = result === -errno.EAGAIN || result === -errno.ENOBUFS;
      const dropped = result > 0 ? 0 : isFull ? to - at : 1;
      this.counters.answersDropped += dropped;
      at += result > 0 ? result : dropped;
    }
  }

  wake(): void {
    if (!this.#isClosed) wakeThrough(this.wakeFd);
  }

  async run(handler: PacketHandler): Promise<void> {
    this.#isRunning = true;
    // A thread that has just begun hands over nothing in the first turn of its event loop.
    await turn();
    try {
      for (let waitMs = 0; !this.#isClosed; ) {
        const ready = await this.#ready(waitMs);
        const wasWoken = this.#handOver(ready, handler);
        if (this.#isClosed) break;
        const nowMs = performance.now();
        this.counters.rounds += 1;
        waitMs = Math.min(handler.roundEnded(nowMs), this.#upstreams.renew(nowMs) - nowMs);
        if (!wasWoken || this.#isClosed) continue;
        // The reason may be a message to this thread: its event loop hands that over, then there is work.
        await turn();
        waitMs = 0;
      }
    } finally {
      this.#isRunning = false;
      if (this.#isClosed) this.#closeWait();
      else this.close();
    }
  }

  /** How many descriptors have something. */
  #ready(waitMs: number): number | Promise<number> {
    const timeoutMs =
      waitMs === Number.POSITIVE_INFINITY ? -1 : Math.min(Math.max(0, Math.ceil(waitMs)), longestWaitMs);
    const isBlocking = this.#wait === 'blocking' || timeoutMs === 0;
    // A signal ends the wait as well: nothing is ready then.
    const wait = isBlocking ? epollWait : epollWaitBeside;
    return wait(this.#epoll, this.#memory.base, mostEvents, timeoutMs);
  }

  /** Whether it was woken. */
  #handOver(ready: number, handler: PacketHandler): boolean {
    let wasWoken = false;
    for (let index = 0; index < ready; index++) {
      const fd = this.#memory.eventData(index);
      const owner = this.#owners[fd];
      if (owner instanceof UpstreamSockets) this.#receiveReply(fd, owner, handler);
      else if (owner !== undefined) this.#receiveQuestions(owner, handler);
      else if (fd === this.wakeFd && !this.#isClosed) {
        clearWake(fd);
        wasWoken = true;
      }
    }
    return wasWoken;
  }

  #receiveQuestions(listener: Listener, handler: PacketHandler): void {
    const { id, fd } = listener;
    const { received } = this.#memory;
    const count = receiveMany(fd, received.header(0), received.count, MSG_DONTWAIT);
    for (let index = 0; index < count; index++) {
      const octets = received.take(index);
      const client = this.#peers.read(received.addressAt(index));
      if (octets === -1) this.counters.oversized += 1;
      // The handler may have closed it meanwhile.
      else if (client !== null && this.#owners[fd] === listener)
        handler.guestMessage(id, client, received.message(index, octets));
    }
  }

  /** One message: what else there is, the next round finds. */
  #receiveReply(fd: number, { server }: UpstreamSockets, handler: PacketHandler): void {
    const memory = this.#memory;
    const { base, upstreamPayload: at, upstreamAddress, upstreamAddressLength } = memory;
    memory.words[upstreamAddressLength >> 2] = socketAddressOctets;
    const octets = receiveFrom(
      fd,
      base + at,
      slotOctets,
      MSG_DONTWAIT | MSG_TRUNC,
      base + upstreamAddress,
      base + upstreamAddressLength,
    );
    if (octets < 0) {
      if (octets !== -errno.EAGAIN) this.counters.upstreamErrors += 1;
      return;
    }
    if (octets > slotOctets) {
      this.counters.oversized += 1;
      return;
    }
    // Between its port and its connection a socket hears anybody.
    const from = sameOctets(memory.bytes, upstreamAddress, server.raw)
      ? server
      : this.#peers.read(upstreamAddress);
    if (from !== null) handler.upstreamMessage(fd, from, memory.upstreamMessage(octets));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isRunning) wakeThrough(this.wakeFd);
    this.#upstreams.close();
    for (const { fd } of this.#listeners.values()) {
      this.#disown(fd);
      close(fd);
    }
    this.#listeners.clear();
    if (!this.#isRunning) this.#closeWait();
  }

  /** Last of all: a thread beside may still wait on it. */
  #closeWait(): void {
    close(this.#epoll);
    close(this.wakeFd);
  }
}
