/**
 * Octets → lines, for a peer that may send anything.
 * Invariant: never holds more than one line of `maxOctets`, its newline included; what is longer is told once and
 * dropped to its end; what was read is wiped.
 */

/** null stands for a line that was too long. */
export type Line = string | null;

const newline = 0x0a;

export class LineReader {
  readonly #buffer: Buffer;
  #held = 0;
  #dropping = false;

  constructor(maxOctets: number) {
    this.#buffer = Buffer.alloc(maxOctets);
  }

  /** The lines that end in this chunk, in order. The chunk is the caller's again afterwards, wiped. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let at = 0;
    while (at < chunk.length) {
      const end = chunk.indexOf(newline, at);
      this.#take(chunk.subarray(at, end === -1 ? chunk.length : end + 1), end !== -1, lines);
      at = end === -1 ? chunk.length : end + 1;
    }
    chunk.fill(0);
    return lines;
  }

  #take(part: Buffer, isEnd: boolean, lines: Line[]): void {
    if (!this.#dropping && this.#held + part.length > this.#buffer.length) {
      this.reset();
      this.#dropping = true;
      lines.push(null);
    }
    if (this.#dropping) {
      this.#dropping = !isEnd;
      return;
    }
    part.copy(this.#buffer, this.#held);
    this.#held += part.length;
    if (!isEnd) return;
    lines.push(this.#buffer.toString('utf8', 0, this.#held - 1));
    this.reset();
  }

  /** Half a line of a peer that went away is never the beginning of the next one's. */
  reset(): void {
    this.#buffer.fill(0, 0, this.#held);
    this.#held = 0;
    this.#dropping = false;
  }
}
