/**
 * Listens on a local socket for who asks in lines.
 * Invariant: only peers that the caller hears are served, as the kernel names them; connections are bounded, in all and
 * of one process; a path has one listener, and what a killed one has left there gives way.
 */
import { chmodSync, chownSync, closeSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { CodedError } from './coded-error.ts';
import { lockFile } from './file-lock.ts';
import { LineConnection, type LineLimits } from './line-connection.ts';
import type { Log } from './log.ts';
import { SyscallError } from './syscalls.ts';
import { descriptorOf, type PeerCredentials, peerOf } from './unix-socket.ts';

export interface LineServerLimits extends LineLimits {
  readonly connections: number;
  /** Of one process that can be seen from here. */
  readonly connectionsOfProcess: number;
}

/** `path`: made there, in a folder that is there; `fd`: one that listens already. */
export type ListeningPlace = { readonly path: string } | { readonly fd: number };

export interface LineServerOptions {
  /** In the log. */
  readonly name: string;
  readonly place: ListeningPlace;
  /** Of the file that is made; with a group it is root's to give. */
  readonly mode: number;
  readonly gid?: number;
  readonly limits: LineServerLimits;
  readonly log: Log;
  isHeard(peer: PeerCredentials): boolean;
  /** @param fd of the connection */
  answer(line: string, socket: Socket, fd: number): Promise<Buffer> | null;
  /** Why it cannot listen. */
  taken(what: string, cause?: unknown): CodedError;
}

export class LineServer {
  readonly #server: Server;
  readonly #lock: number | null;
  readonly #options: LineServerOptions;
  readonly #connections = new Set<LineConnection>();
  readonly #ofProcess = new Map<number, number>();

  private constructor(lock: number | null, options: LineServerOptions) {
    const { name, limits, log } = options;
    this.#lock = lock;
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: false }, (socket) =>
      this.#meet(socket),
    );
    this.#server.maxConnections = limits.connections;
    this.#server.on('drop', () => log.warn(`${name}: as many connections as may be`));
  }

  /** @throws CodedError as `taken` gives it */
  static async open(options: LineServerOptions): Promise<LineServer> {
    const { place, mode, gid } = options;
    if ('fd' in place) {
      const server = new LineServer(null, options);
      await server.#listen();
      return server;
    }
    const { path } = place;
    const lock = lockPath(path, options);
    try {
      removeStale(path, options);
      const server = new LineServer(lock, options);
      await server.#listen();
      // Until then only this user could connect.
      if (gid !== undefined && process.geteuid?.() === 0) chownSync(path, 0, gid);
      chmodSync(path, mode);
      return server;
    } catch (error) {
      closeSync(lock);
      throw error;
    }
  }

  #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { place, taken } = this.#options;
    this.#server.once('error', (cause) => reject(taken('it cannot be listened on', cause)));
    this.#server.listen(place, resolve);
    return promise;
  }

  /** Nobody is heard any more; what was asked before is still answered. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const settled = [...this.#connections].map((connection) => connection.close());
    await Promise.all([closed, ...settled]);
    if (this.#lock !== null) closeSync(this.#lock);
  }

  #meet(socket: Socket): void {
    const { name, limits, log } = this.#options;
    const fd = descriptorOf(socket);
    const peer = fd === null ? null : peerOf(fd);
    if (fd === null || peer === null || !this.#options.isHeard(peer)) {
      log.warn({ peer }, `${name}: a peer that is not heard`);
      socket.destroy();
      return;
    }
    const { pid } = peer;
    const others = this.#ofProcess.get(pid) ?? 0;
    if (pid > 0 && others >= limits.connectionsOfProcess) {
      log.warn({ peer }, `${name}: as many connections of one process as may be`);
      socket.destroy();
      return;
    }
    this.#ofProcess.set(pid, others + 1);
    const connection = new LineConnection(socket, limits, (line) => this.#options.answer(line, socket, fd));
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      const left = (this.#ofProcess.get(pid) ?? 1) - 1;
      if (left > 0) this.#ofProcess.set(pid, left);
      else this.#ofProcess.delete(pid);
    });
  }
}

function lockPath(path: string, { taken }: LineServerOptions): number {
  try {
    return lockFile(`${path}.lock`);
  } catch (cause) {
    throw taken(cause instanceof SyscallError ? 'another process listens there' : 'it cannot be made', cause);
  }
}

/** What a killed run has left; the lock says that nobody listens. */
function removeStale(path: string, { taken }: LineServerOptions): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw taken('something else is there');
  unlinkSync(path);
}
