/**
 * One channel to an agent: octets out as they are, lines in, each wait with an end.
 * Invariant: holds at most two lines' worth of what came; what nobody asked for is seen, not skipped.
 */
import type { Duplex } from 'node:stream';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';

export type Heard =
  /** Without its newline, each octet a character. */
  | { readonly fate: 'line'; readonly line: string; readonly ms: number }
  | { readonly fate: 'silent'; readonly ms: number; readonly held: number }
  | { readonly fate: 'closed'; readonly ms: number; readonly held: number }
  /** More than a line may have, and no newline. */
  | { readonly fate: 'flood'; readonly ms: number; readonly held: number }
  /** Octets were there before anything was asked. */
  | { readonly fate: 'unasked'; readonly ms: number; readonly held: number; readonly hex: string };

const shownOctets = 64;

export class LineChannel {
  readonly #stream: Duplex;
  #held: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => undefined;

  /** @param watch is shown every octet that comes */
  constructor(stream: Duplex, watch: (octets: Buffer) => void = () => undefined) {
    this.#stream = stream;
    const closed = () => {
      this.#isClosed = true;
      this.#wake();
    };
    stream.on('data', (octets: Buffer) => {
      watch(octets);
      this.#held = Buffer.concat([this.#held, octets]);
      if (this.#held.length > 2 * maxLineOctets) stream.pause();
      this.#wake();
    });
    stream.once('end', closed).once('close', closed).on('error', closed);
    // Whoever greeted on it has paused it.
    stream.resume();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Octets that came and were not taken. */
  get waiting(): number {
    return this.#held.length;
  }

  write(octets: string | Buffer): void {
    if (!this.#isClosed) this.#stream.write(octets);
  }

  /** Writes one request and hears one line. */
  async ask(octets: string | Buffer, timeoutMs: number): Promise<Heard> {
    if (this.#held.length > 0) return this.#unasked();
    this.write(octets);
    return this.next(timeoutMs);
  }

  async next(timeoutMs: number): Promise<Heard> {
    const begin = performance.now();
    for (;;) {
      const ms = Math.round(performance.now() - begin);
      const held = this.#held.length;
      const end = this.#held.subarray(0, maxLineOctets).indexOf(10);
      if (end >= 0) return { fate: 'line', line: this.#take(end), ms };
      if (held >= maxLineOctets) return { fate: 'flood', ms, held };
      if (this.#isClosed) return { fate: 'closed', ms, held };
      if (ms >= timeoutMs) return { fate: 'silent', ms, held };
      await this.#news(timeoutMs - ms);
    }
  }

  /** Something comes, or so much time passes. */
  async #news(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  #take(end: number): string {
    const line = this.#held.toString('latin1', 0, end);
    this.#keep(this.#held.subarray(end + 1));
    return line;
  }

  #keep(rest: Buffer): void {
    this.#held = rest;
    if (rest.length <= 2 * maxLineOctets && this.#stream.isPaused()) this.#stream.resume();
  }

  #unasked(): Heard {
    const hex = this.#held.toString('hex', 0, shownOctets);
    const held = this.#held.length;
    this.#keep(Buffer.alloc(0));
    return { fate: 'unasked', ms: 0, held, hex };
  }

  close(): void {
    this.#stream.destroy();
  }
}
