/**
 * The node socket: hands the husks of this node templates in sealed memory, and keeps for all of them the one store of
 * samples and witnesses.
 * Invariant: only the users that were named are heard, and only on snapshots of templates that stand; connections,
 * lines and waits are bounded; nobody forgets a witness through it.
 */
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CodedError } from '#reference/base/coded-error.ts';
import { LineServer, type LineServerLimits } from '#reference/base/line-server.ts';
import type { Log } from '#reference/base/log.ts';
import { sendDescriptors } from '#reference/base/unix-socket.ts';
import {
  handedParts,
  maxNodeRequestOctets,
  type NodeAnswer,
  type NodeRequest,
  nodeProtocolVersion,
} from '#reference/contract/node-protocol.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import type { WitnessPort } from '#reference/contract/witness-port.ts';
import { manifestText } from '../vmm/manifest/manifest.ts';
import { readNodeRequest } from './read-node-request.ts';

export interface NodePeer {
  readonly uid: number;
  readonly gid: number;
}

export type NodeSocketLimits = Omit<LineServerLimits, 'lineOctets'>;

/** Templates are hashed at the first call after a start, which is an answer's to wait for. */
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
  readonly #server: LineServer;

  private constructor(server: LineServer) {
    this.#server = server;
  }

  /** @throws CodedError `node-socket-taken` */
  static async open(options: NodeSocketOptions, parts: NodeSocketParts): Promise<NodeSocket> {
    const { path, peers, limits } = options;
    const [first] = peers;
    const server = await LineServer.open({
      name: 'node socket',
      place: { path },
      mode: 0o660,
      ...(first === undefined ? {} : { gid: first.gid }),
      limits: { ...nodeSocketLimits, ...limits, lineOctets: maxNodeRequestOctets },
      log: parts.log,
      isHeard: ({ uid, gid }) => peers.some((peer) => peer.uid === uid && peer.gid === gid),
      answer: (text, socket, fd) => {
        const request = readNodeRequest(text);
        return request === null ? null : answerOf(parts, request, socket, fd);
      },
      taken: (what, cause) => taken(path, what, cause),
    });
    return new NodeSocket(server);
  }

  /** Nobody is heard any more; what was asked before is still answered. */
  close(): Promise<void> {
    return this.#server.close();
  }
}

/** @returns the line, or what is left of it to be sent */
async function answerOf(
  { store, log, isTemplate, withTemplate }: NodeSocketParts,
  request: NodeRequest,
  socket: Socket,
  fd: number,
): Promise<Buffer> {
  const { ask, snapshot } = request;
  try {
    if (!isTemplate(snapshot)) {
      // What is not kept here any more has no witnesses that a sibling's sample could be held against.
      throw new CodedError(
        'no-such-template',
        'no template of that snapshot stands here',
        'take another husk',
      );
    }
    switch (ask) {
      case 'template':
        return await withTemplate(snapshot, async (loaded) => hand(socket, fd, loaded));
      case 'next-generation':
        return line({ ok: true, generation: await store.nextGeneration(snapshot, request.above) });
      case 'insert':
        return line({ ok: true, answer: await store.insert(snapshot, request.generation, request.keys) });
      case 'is-admitted':
        return line({ ok: true, admitted: await store.isAdmitted(snapshot, request.generation) });
    }
  } catch (error) {
    if (!(error instanceof CodedError)) {
      log.error({ ask, snapshot, err: error }, 'node socket');
      throw error;
    }
    const { code, message, remediation: remedy } = error;
    log.warn({ ask, snapshot, code }, 'node socket: refused');
    return line({ ok: false, code, message, remedy });
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
