/**
 * A channel to the host: lines in, each handled before the next is read, and lines out, one after the other.
 * Invariant: nothing is read ahead of what is handled but one buffer, and nothing is queued for writing but what
 * callers wait for.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { type Line, LineReader } from './line-reader.ts';

export interface LineHandler {
  /** null: it was too long. */
  line(line: Line, send: Send): void | Promise<void>;
  /** The host has gone: whoever comes next is another. */
  disconnected(): void;
  /** Until the next line nothing of this process has to run: it may be waited for where everything else waits too. */
  isHeld?(): boolean;
}

/** Ends when the line is with the kernel. A line for a host that has gone is dropped. */
export type Send = (message: object) => Promise<void>;

export interface Channel {
  /** Once. Ends with the channel. @throws what makes the channel unusable */
  serve(handler: LineHandler): Promise<void>;
  close(): void;
}

/** One JSON object, and its newline. @throws CodedError `guest-line-too-long` */
export function lineOf(message: object): Buffer {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  if (line.length <= maxLineOctets) return line;
  throw new CodedError(
    'guest-line-too-long',
    `an answer of ${line.length} octets is longer than a line may be`,
    `answer in chunks; a line has at most ${maxLineOctets} octets`,
  );
}

/** What every adapter does with octets: lines to the handler, in order, one at a time. */
export class LineFeed {
  readonly #reader = new LineReader(maxLineOctets);
  readonly #handler: LineHandler;
  readonly #send: Send;

  constructor(handler: LineHandler, send: Send) {
    this.#handler = handler;
    this.#send = send;
  }

  async feed(chunk: Buffer): Promise<void> {
    for (const line of this.#reader.push(chunk)) {
      // Empty lines are how a host begins anew.
      if (line !== '') await this.#handler.line(line, this.#send);
    }
  }

  disconnected(): void {
    this.#reader.reset();
    this.#handler.disconnected();
  }
}

/** One after the other, whoever asks. */
export class WriteQueue {
  #last: Promise<void> = Promise.resolve();

  add(write: () => Promise<void>): Promise<void> {
    const done = this.#last.then(write);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
