/**
 * The node socket: hands the husks of this node templates in sealed memory, and keeps for all of them the one store of
 * samples and witnesses.
 * Invariant: only the users that were named are heard, and only on snapshots of templates that stand; connections,
 * lines and waits are bounded; nobody forgets a witness through it.
 */
import { chmodSync, chownSync, closeSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '#reference/base/coded-error.ts';
import { lockFile } from '#reference/base/file-lock.ts';
import type { Log } from '#reference/base/log.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import { descriptorOf, type PeerCredentials, peerOf, sendDescriptors } from '#reference/base/unix-socket.ts';
import {
  handedParts,
  type NodeAnswer,
  type NodeRequest,
  nodeProtocolVersion,
} from '#reference/contract/node-protocol.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import type { WitnessPort } from '#reference/contract/witness-port.ts';
import { manifestText } from '../vmm/manifest/manifest.ts';
import { NodeConnection } from './node-connection.ts';

export interface NodePeer {
  readonly uid: number;
  readonly gid: number;
}

export interface NodeSocketLimits {
  readonly connections: number;
  /** Of one process that can be seen from here. */
  readonly connectionsOfProcess: number;
  /** From the connection, or the last answer, to a whole request. */
  readonly requestMs: number;
  /** Templates are hashed at the first call after a start. */
  readonly answerMs: number;
}

export const nodeSocketLimits: NodeSocketLimits = {
  ...{ connections: 256, connectionsOfProcess: 4, requestMs: 10_000, answerMs: 120_000 },
};

export interface NodeSocketOptions {
  /** Made with mode 0660, for the group of the first peer; its folder is there. */
  readonly path: string;
  /** Both of one must be the peer's. */
  readonly peers: readonly NodePeer[];
  readonly limits?: Partial<NodeSocketLimits>;
}

export interface NodeSocketParts {
  readonly store: Pick<WitnessPort, 'insert' | 'nextGeneration' | 'isAdmitted'>;
  /** A template of that snapshot stands. */
  isTemplate(snapshot: string): boolean;
  /** Its descriptors stay open until `act` has ended. @throws CodedError `no-such-template`, `snapshot-mismatch` */
  withTemplate<T>(snapshot: string, act: (loaded: LoadedSnapshot) => Promise<T>): Promise<T>;
  readonly log: Log;
}

export class NodeSocket {
  readonly #server: Server;
  readonly #lock: number;
  readonly #options: NodeSocketOptions;
  readonly #limits: NodeSocketLimits;
  readonly #parts: NodeSocketParts;
  readonly #connections = new Set<NodeConnection>();
  readonly #ofProcess = new Map<number, number>();

  private constructor(lock: number, options: NodeSocketOptions, parts: NodeSocketParts) {
    this.#lock = lock;
    this.#options = options;
    this.#parts = parts;
    this.#limits = { ...nodeSocketLimits, ...options.limits };
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: false }, (socket) =>
      this.#meet(socket),
    );
    this.#server.maxConnections = this.#limits.connections;
    this.#server.on('drop', () => parts.log.warn('node socket: as many connections as may be'));
  }

  /** @throws CodedError `node-socket-taken` */
  static async open(options: NodeSocketOptions, parts: NodeSocketParts): Promise<NodeSocket> {
    const { path, peers } = options;
    const lock = lockPath(path);
    try {
      removeStale(path);
      const socket = new NodeSocket(lock, options, parts);
      await socket.#listen();
      // Until then only this user could connect.
      const [first] = peers;
      if (first !== undefined && process.geteuid?.() === 0) chownSync(path, 0, first.gid);
      chmodSync(path, 0o660);
      return socket;
    } catch (error) {
      closeSync(lock);
      throw error;
    }
  }

  #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', (cause) =>
      reject(taken(this.#options.path, 'it cannot be listened on', cause)),
    );
    this.#server.listen(this.#options.path, resolve);
    return promise;
  }

  /** Nobody is heard any more; what was asked before is answered by nothing. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const settled = [...this.#connections].map((connection) => connection.close());
    await Promise.all([closed, ...settled]);
    closeSync(this.#lock);
  }

  #meet(socket: Socket): void {
    const fd = descriptorOf(socket);
    const peer = fd === null ? null : peerOf(fd);
    if (fd === null || peer === null || !this.#isHeard(peer)) {
      this.#parts.log.warn({ peer }, 'node socket: a peer that is not heard');
      socket.destroy();
      return;
    }
    const { pid } = peer;
    const others = this.#ofProcess.get(pid) ?? 0;
    if (pid > 0 && others >= this.#limits.connectionsOfProcess) {
      this.#parts.log.warn({ peer }, 'node socket: as many connections of one process as may be');
      socket.destroy();
      return;
    }
    this.#ofProcess.set(pid, others + 1);
    const connection = new NodeConnection(socket, this.#limits, (request) =>
      this.#answer(socket, fd, request),
    );
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      const left = (this.#ofProcess.get(pid) ?? 1) - 1;
      if (left > 0) this.#ofProcess.set(pid, left);
      else this.#ofProcess.delete(pid);
    });
  }

  #isHeard({ uid, gid }: PeerCredentials): boolean {
    return this.#options.peers.some((peer) => peer.uid === uid && peer.gid === gid);
  }

  /** @returns the line, or what is left of it to be sent */
  async #answer(socket: Socket, fd: number, request: NodeRequest): Promise<Buffer> {
    const { store } = this.#parts;
    const { snapshot } = request;
    try {
      if (!this.#parts.isTemplate(snapshot)) {
        // What is not kept here any more has no witnesses that a sibling's sample could be held against.
        throw new CodedError(
          'no-such-template',
          'no template of that snapshot stands here',
          'take another husk',
        );
      }
      switch (request.ask) {
        case 'template':
          return await this.#parts.withTemplate(snapshot, async (loaded) => hand(socket, fd, loaded));
        case 'next-generation':
          return line({ ok: true, generation: await store.nextGeneration(snapshot, request.above) });
        case 'insert':
          return line({ ok: true, answer: await store.insert(snapshot, request.generation, request.keys) });
        case 'is-admitted':
          return line({ ok: true, admitted: await store.isAdmitted(snapshot, request.generation) });
      }
    } catch (error) {
      if (!(error instanceof CodedError)) {
        this.#parts.log.error({ ask: request.ask, snapshot, err: error }, 'node socket');
        throw error;
      }
      const { code, message, remediation: remedy } = error;
      this.#parts.log.warn({ ask: request.ask, snapshot, code }, 'node socket: refused');
      return line({ ok: false, code, message, remedy });
    }
  }
}

type Said = NodeAnswer extends infer One ? (One extends NodeAnswer ? Omit<One, 'v'> : never) : never;

const line = (answer: Said): Buffer =>
  Buffer.from(`${JSON.stringify({ v: nodeProtocolVersion, ...answer })}\n`);

/** Opened anew and for reading: the husk has positions of its own, and writes nothing. */
function hand(socket: Socket, fd: number, loaded: LoadedSnapshot): Buffer {
  // What waits in the stream would come behind what is sent here.
  if (socket.destroyed || socket.writableLength > 0) throw new Error('the connection has ended');
  const octets = line({ ok: true, parts: handedParts, manifest: manifestText(loaded.manifest) });
  const opened: number[] = [];
  try {
    for (const part of handedParts) opened.push(openSync(`/proc/self/fd/${loaded[part].fd}`, 'r'));
    return octets.subarray(sendDescriptors(fd, octets, opened));
  } finally {
    for (const one of opened) closeSync(one);
  }
}

function taken(path: string, what: string, cause?: unknown): CodedError {
  return new CodedError(
    'node-socket-taken',
    `${path}: ${what}`,
    'end who listens there, or name a path in a folder that is there',
    { cause },
  );
}

function lockPath(path: string): number {
  try {
    return lockFile(`${path}.lock`);
  } catch (cause) {
    throw taken(
      path,
      cause instanceof SyscallError ? 'another process listens there' : 'it cannot be made',
      cause,
    );
  }
}

/** What a killed run has left; the lock says that nobody listens. */
function removeStale(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw taken(path, 'something else is there');
  unlinkSync(path);
}
