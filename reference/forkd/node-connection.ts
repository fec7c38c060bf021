/**
 * One connection of the node socket: whole lines in, one at a time, each within its time.
 * Invariant: never holds more than one request; whoever is too long, too late, out of turn, or says what is no request
 * is hung up on.
 */
import type { Socket } from 'node:net';
import {
  maxNodeRequestOctets,
  type NodeRequest,
  nodeProtocolVersion,
} from '#reference/contract/node-protocol.ts';
import { isDigest } from '../decisions/reseed-proof.ts';

const newline = 0x0a;

export interface ConnectionLimits {
  readonly requestMs: number;
  readonly answerMs: number;
}

/** @returns what is to be written */
export type AnswerRequest = (request: NodeRequest) => Promise<Buffer>;

export class NodeConnection {
  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  readonly #answer: AnswerRequest;
  #held = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  /** null: it is the peer's turn. */
  #answering: Promise<void> | null = null;

  constructor(socket: Socket, limits: ConnectionLimits, answer: AnswerRequest) {
    this.#socket = socket;
    this.#limits = limits;
    this.#answer = answer;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // A peer that is gone is no news.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clearTimeout(this.#timer));
    this.#arm(limits.requestMs);
    socket.resume();
  }

  /** Ends when what was asked before is over. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#answering;
  }

  #arm(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), afterMs);
  }

  #take(chunk: Buffer): void {
    if (this.#socket.destroyed) return;
    this.#held = Buffer.concat([this.#held, chunk]);
    const end = this.#held.indexOf(newline);
    const isLast = end === this.#held.length - 1;
    if (this.#answering !== null || this.#held.length > maxNodeRequestOctets || (end >= 0 && !isLast)) {
      this.#socket.destroy();
      return;
    }
    if (end < 0) return;
    const request = readNodeRequest(this.#held.toString('utf8', 0, end));
    this.#held = Buffer.alloc(0);
    if (request === null) this.#socket.destroy();
    else this.#answering = this.#serve(request);
  }

  async #serve(request: NodeRequest): Promise<void> {
    this.#arm(this.#limits.answerMs);
    try {
      const octets = await this.#answer(request);
      this.#answering = null;
      if (this.#socket.destroyed) return;
      this.#arm(this.#limits.requestMs);
      this.#socket.write(octets);
    } catch {
      // Whoever hears nothing refuses.
      this.#answering = null;
      this.#socket.destroy();
    }
  }
}

/** null: it is none. Total. */
export function readNodeRequest(text: string): NodeRequest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { v, ask, snapshot, above, generation, keys } = value as Record<string, unknown>;
  if (v !== nodeProtocolVersion || !isDigest(snapshot)) return null;
  switch (ask) {
    case 'template':
      return { v, ask, snapshot };
    case 'next-generation':
      return isCount(above) ? { v, ask, snapshot, above } : null;
    case 'insert':
      // What is no list of keys is the store's to refuse.
      return typeof generation === 'number' && Array.isArray(keys)
        ? { v, ask, snapshot, generation, keys }
        : null;
    case 'is-admitted':
      return typeof generation === 'number' ? { v, ask, snapshot, generation } : null;
    default:
      return null;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
