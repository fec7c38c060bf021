/** The last octets that a guest, or its VMM, printed. Invariant: what is kept has a bound, and printing never waits. */
import type { Duplex } from 'node:stream';

const keptOctets = 65_536;

export class ConsoleTail {
  #kept: Buffer[] = [];
  #octets = 0;

  constructor(stream: Duplex) {
    stream.on('data', (octets: Buffer) => this.#keep(octets));
  }

  text(): string {
    return Buffer.concat(this.#kept).subarray(-keptOctets).toString('utf8');
  }

  #keep(octets: Buffer): void {
    this.#kept.push(octets);
    this.#octets += octets.length;
    if (this.#octets < 2 * keptOctets) return;
    const tail = Buffer.from(Buffer.concat(this.#kept).subarray(-keptOctets));
    this.#kept = [tail];
    this.#octets = tail.length;
  }
}
