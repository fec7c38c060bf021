/**
 * The host's end of a guest's control channel: one line asked, one line answered.
 * Invariant: never holds more than one answer; an octet that nobody asked for ends the channel, as its closing does.
 */
import type { Duplex } from 'node:stream';
import { CodedError } from '#reference/base/coded-error.ts';
import { type ControlRequest, maxLineOctets } from '#reference/contract/guest-protocol.ts';

export interface Answer {
  /** Without its newline; longer than the bound when it had none within it. Each octet a character. */
  readonly line: string;
  /** From the call to the last octet. */
  readonly elapsedMs: number;
}

interface Asked {
  readonly maxOctets: number;
  readonly atMs: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: CodedError) => void;
}

const newline = 0x0a;

export class ControlChannel {
  readonly #stream: Duplex;
  #asked: Asked | null = null;
  #chunks: Buffer[] = [];
  #held = 0;
  #end: CodedError | null = null;
  readonly #ended = Promise.withResolvers<CodedError>();

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.once('end', () => this.#finish('it was closed'));
    stream.once('close', () => this.#finish('it was closed'));
    stream.once('error', (cause) => this.#finish('it failed', cause));
  }

  /** Told once, with what ended it. */
  get ended(): Promise<CodedError> {
    return this.#ended.promise;
  }

  /**
   * One at a time.
   * @param maxOctets of the answer; a longer one comes cut off, one octet longer than the bound
   * @throws CodedError `guest-channel-ended`; `guest-request-too-long`
   */
  ask(request: ControlRequest, maxOctets: number): Promise<Answer> {
    const line = Buffer.from(`${JSON.stringify(request)}\n`);
    if (line.length > maxLineOctets) return Promise.reject(tooLong(request.method, line.length));
    if (this.#end !== null) return Promise.reject(this.#end);
    if (this.#asked !== null) return Promise.reject(new Error('one request at a time'));
    return new Promise((resolve, reject) => {
      this.#asked = { maxOctets, atMs: performance.now(), resolve, reject };
      this.#stream.write(line);
    });
  }

  close(): void {
    this.#finish('the host closed it');
  }

  #take(chunk: Buffer): void {
    if (this.#end !== null || chunk.length === 0) return;
    if (this.#asked === null) {
      this.#finish('the guest spoke out of turn');
      return;
    }
    const end = chunk.indexOf(newline);
    const part = end === -1 ? chunk : chunk.subarray(0, end);
    this.#chunks.push(part);
    this.#held += part.length;
    const { maxOctets, atMs, resolve } = this.#asked;
    if (end === -1 && this.#held <= maxOctets) return;
    const line = Buffer.concat(this.#chunks).toString('latin1', 0, Math.min(this.#held, maxOctets + 1));
    this.#chunks = [];
    this.#held = 0;
    this.#asked = null;
    resolve({ line, elapsedMs: performance.now() - atMs });
    if (end === -1 || end + 1 < chunk.length) this.#finish('the guest spoke out of turn');
  }

  #finish(why: string, cause?: unknown): void {
    if (this.#end !== null) return;
    const end = new CodedError(
      'guest-channel-ended',
      `the control channel of a guest has ended: ${why}`,
      'the sandbox cannot be snapshotted any more: terminate it',
      { cause },
    );
    this.#end = end;
    this.#chunks = [];
    this.#asked?.reject(end);
    this.#asked = null;
    this.#stream.destroy();
    this.#ended.resolve(end);
  }
}

function tooLong(method: string, octets: number): CodedError {
  return new CodedError(
    'guest-request-too-long',
    `${method} has ${octets} octets; a line has at most ${maxLineOctets}`,
    'shorten its arguments, environment or addresses',
  );
}

/** One flat look at an answer that decides nothing about divergence; null: it is no JSON object. */
export function readAnswer(line: string): Record<string, unknown> | null {
  try {
    // The channel's octets are UTF-8.
    const value: unknown = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}
