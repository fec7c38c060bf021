/**
 * The sockets of one upstream server: many, connected, on ports that the kernel drew, renewed in turn.
 * Invariant: which one asks is drawn by the system's generator; one that was replaced receives until every answer is
 * overdue, then it is closed; how many are open is bounded.
 */
import type { RandomPool } from '../../base/random-pool.ts';
import { close, SyscallError } from '../../base/syscalls.ts';
import type { SocketEndpoint } from './socket-address.ts';
import { openConnected } from './udp-socket.ts';

export interface SocketWatch {
  /** A new socket is to be waited for. */
  opened(fd: number, owner: UpstreamSockets): void;
  closed(fd: number): void;
}

interface Retired {
  readonly fd: number;
  readonly dueMs: number;
}

export class UpstreamSockets {
  readonly server: SocketEndpoint;
  /** Since the last renewal. */
  wasAsked = false;
  readonly #watch: SocketWatch;
  readonly #open: number[] = [];
  readonly #retired: Retired[] = [];
  #turn = 0;

  constructor(server: SocketEndpoint, watch: SocketWatch) {
    this.server = server;
    this.#watch = watch;
  }

  get size(): number {
    return this.#open.length;
  }

  get sockets(): readonly number[] {
    return this.#open;
  }

  /** When the next socket is to be closed; Infinity when none is. */
  get dueMs(): number {
    return this.#retired[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Opens sockets until there are `size`, or the kernel gives none. */
  fill(size: number): void {
    while (this.#open.length < size) {
      const fd = this.#openOne();
      if (fd === null) return;
      this.#open.push(fd);
    }
  }

  /** No port, no descriptor, no route: the sockets that are there serve on. */
  #openOne(): number | null {
    try {
      const fd = openConnected(this.server);
      this.#watch.opened(fd, this);
      return fd;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return null;
    }
  }

  pick(random: RandomPool): number | null {
    if (this.#open.length === 0) this.fill(1);
    return this.#open.length === 0 ? null : (this.#open[random.below(this.#open.length)] ?? null);
  }

  /** Replaces the one whose turn it is, if any was asked since the last time. */
  renew(nowMs: number, lingerMs: number): void {
    if (!this.wasAsked) return;
    this.wasAsked = false;
    const fd = this.#openOne();
    if (fd === null) return;
    const place = this.#turn % this.#open.length;
    this.#turn = place + 1;
    const before = this.#open[place];
    this.#open[place] = fd;
    if (before !== undefined) this.#retired.push({ fd: before, dueMs: nowMs + lingerMs });
  }

  /** Nobody is asked any more. */
  retire(nowMs: number, lingerMs: number): void {
    for (const fd of this.#open.splice(0)) this.#retired.push({ fd, dueMs: nowMs + lingerMs });
  }

  closeOverdue(nowMs: number): void {
    let overdue = 0;
    while ((this.#retired[overdue]?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) overdue += 1;
    for (const { fd } of this.#retired.splice(0, overdue)) this.#close(fd);
  }

  close(): void {
    for (const fd of this.#open.splice(0)) this.#close(fd);
    for (const { fd } of this.#retired.splice(0)) this.#close(fd);
  }

  #close(fd: number): void {
    this.#watch.closed(fd);
    close(fd);
  }
}
