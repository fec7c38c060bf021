/**
 * One end of a local connection that is asked in whole lines, one at a time, each within its time.
 * Invariant: never holds more than one request; whoever is too long, too late, out of turn, or not understood is hung
 * up on.
 */
import type { Socket } from 'node:net';

const newline = 0x0a;

export interface LineLimits {
  /** Of a request, with its newline. */
  readonly lineOctets: number;
  /** From the connection, or the last answer, to a whole request. */
  readonly requestMs: number;
  readonly answerMs: number;
}

/** @returns what is to be written; null: it was no request */
export type AnswerLine = (line: string) => Promise<Buffer> | null;

export class LineConnection {
  readonly #socket: Socket;
  readonly #limits: LineLimits;
  readonly #answer: AnswerLine;
  #held = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  /** null: it is the peer's turn. */
  #answering: Promise<void> | null = null;
  #isClosing = false;

  constructor(socket: Socket, limits: LineLimits, answer: AnswerLine) {
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

  /** Nothing more is heard; what was asked before is still answered. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#answering;
    this.#socket.destroy();
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
    const isOutOfTurn = this.#answering !== null || this.#isClosing;
    if (isOutOfTurn || this.#held.length > this.#limits.lineOctets || (end >= 0 && !isLast)) {
      this.#socket.destroy();
      return;
    }
    if (end < 0) return;
    const answer = this.#answer(this.#held.toString('utf8', 0, end));
    this.#held = Buffer.alloc(0);
    if (answer === null) this.#socket.destroy();
    else this.#answering = this.#serve(answer);
  }

  async #serve(answer: Promise<Buffer>): Promise<void> {
    this.#arm(this.#limits.answerMs);
    try {
      const octets = await answer;
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
