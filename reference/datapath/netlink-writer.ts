/**
 * Writes netlink messages with nested attributes into one buffer that is used again and again.
 * Invariant: every length that the kernel reads was measured, never told; nothing is left open.
 */

export const netlinkHeaderOctets = 16;
const nestedFlag = 0x8000;

export class NetlinkWriter {
  #bytes = Buffer.alloc(1 << 14);
  #at = 0;
  #message = -1;
  readonly #nests: number[] = [];
  #count = 0;

  /** Messages so far; the one that is open counts. */
  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#at = 0;
    this.#message = -1;
    this.#nests.length = 0;
    this.#count = 0;
  }

  /** Ends the message that is open, and begins one; its sequence number is given when it is sent. */
  begin(type: number, flags: number): this {
    this.#endMessage();
    this.#room(netlinkHeaderOctets);
    this.#message = this.#at;
    this.#bytes.fill(0, this.#at, this.#at + netlinkHeaderOctets);
    this.#bytes.writeUInt16LE(type, this.#at + 4);
    this.#bytes.writeUInt16LE(flags, this.#at + 6);
    this.#at += netlinkHeaderOctets;
    this.#count += 1;
    return this;
  }

  /** Flags of the message that is open, beside what it has. */
  addFlags(flags: number): void {
    const at = this.#message + 6;
    this.#bytes.writeUInt16LE(this.#bytes.readUInt16LE(at) | flags, at);
  }

  /** struct nfgenmsg: octet, version 0, 16 bits in network order. */
  nfgen(family: number, resource = 0): this {
    this.#room(4);
    this.#bytes.writeUInt16LE(family, this.#at);
    this.#bytes.writeUInt16BE(resource, this.#at + 2);
    this.#at += 4;
    return this;
  }

  raw(body: Uint8Array): this {
    this.#room(body.length + 4);
    this.#bytes.set(body, this.#at);
    this.#at += body.length;
    return this.#pad();
  }

  bytes(type: number, value: Uint8Array): this {
    this.#head(type, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this.#pad();
  }

  /** With its NUL. */
  text(type: number, value: string): this {
    const length = Buffer.byteLength(value) + 1;
    this.#head(type, length);
    this.#bytes.write(value, this.#at);
    this.#bytes[this.#at + length - 1] = 0;
    this.#at += length;
    return this.#pad();
  }

  uint8(type: number, value: number): this {
    this.#head(type, 1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
    return this.#pad();
  }

  uint32(type: number, value: number, order: 'host' | 'network' = 'network'): this {
    this.#head(type, 4);
    if (order === 'network') this.#bytes.writeUInt32BE(value >>> 0, this.#at);
    else this.#bytes.writeUInt32LE(value >>> 0, this.#at);
    this.#at += 4;
    return this;
  }

  /** A safe integer, in network order. */
  uint64(type: number, value: number): this {
    this.#head(type, 8);
    this.#bytes.writeUInt32BE(Math.floor(value / 2 ** 32), this.#at);
    this.#bytes.writeUInt32BE(value >>> 0, this.#at + 4);
    this.#at += 8;
    return this;
  }

  nest(type: number, write: () => void): this {
    this.openNest(type);
    write();
    return this.closeNest();
  }

  openNest(type: number): this {
    this.#room(4);
    this.#nests.push(this.#at);
    this.#bytes.writeUInt16LE(type | nestedFlag, this.#at + 2);
    this.#at += 4;
    return this;
  }

  /** Of the attribute that is open innermost. */
  closeNest(): this {
    const start = this.#nests.pop() ?? 0;
    const length = this.#at - start;
    // A length of 16 bits: more would be cut off without a word.
    if (length > 0xffff) throw new RangeError('an attribute is longer than netlink can say');
    this.#bytes.writeUInt16LE(length, start);
    return this;
  }

  /** Octets in the attribute that is open innermost. */
  get nestedOctets(): number {
    return this.#at - (this.#nests.at(-1) ?? this.#at);
  }

  /** All messages, numbered from `sequence`; valid until the next write. */
  finish(sequence: number): Buffer {
    this.#endMessage();
    let number = sequence;
    for (let at = 0; at < this.#at; at += (this.#bytes.readUInt32LE(at) + 3) & ~3) {
      this.#bytes.writeUInt32LE(number >>> 0, at + 8);
      number += 1;
    }
    return this.#bytes.subarray(0, this.#at);
  }

  #endMessage(): void {
    if (this.#message !== -1) this.#bytes.writeUInt32LE(this.#at - this.#message, this.#message);
    this.#message = -1;
  }

  #head(type: number, length: number): void {
    this.#room(length + 8);
    this.#bytes.writeUInt16LE(4 + length, this.#at);
    this.#bytes.writeUInt16LE(type, this.#at + 2);
    this.#at += 4;
  }

  #pad(): this {
    while ((this.#at & 3) !== 0) {
      this.#bytes[this.#at] = 0;
      this.#at += 1;
    }
    return this;
  }

  #room(octets: number): void {
    if (this.#at + octets <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#at + octets));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
