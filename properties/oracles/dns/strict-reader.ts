/**
 * A second, independent reading of a DNS message: strict like a validator (RFC 1035 section 4.1), written
 * over a cursor of offsets instead of the code that it judges. null means malformed.
 */

export interface ReadRecord {
  /** Labels in latin1, lower-cased. */
  readonly owner: readonly string[];
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: readonly number[];
  /** Of a CNAME. */
  readonly target: readonly string[] | null;
}

export interface ReadMessage {
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly {
    readonly name: readonly string[];
    readonly type: number;
    readonly class: number;
  }[];
  readonly sections: readonly (readonly ReadRecord[])[];
  /** Pointers followed for the name that needs most of them, and for all names together. */
  readonly mostPointers: number;
  readonly pointers: number;
}

const runsOn = 'labels run on into the name that points to them';

/** No Error: a fuzzer meets millions, and none is traced. */
class Malformed {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export function readStrictly(octets: Uint8Array): ReadMessage | null {
  const read = diagnose(octets);
  return typeof read === 'string' ? null : read;
}

/** The message, or what is wrong with it. */
export function diagnose(octets: Uint8Array): ReadMessage | string {
  try {
    return new Reader(octets).message();
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}

/** RCODE and version as a message says them in its header and, behind that, in the TTL of an OPT (RFC 6891 6.1.3). */
export function ednsOf({ flags, sections }: ReadMessage): {
  readonly code: number;
  readonly version: number;
} {
  const ttl = sections[2]?.find(({ type }) => type === 41)?.ttl ?? 0;
  return { code: Math.floor(ttl / 2 ** 24) * 16 + (flags & 15), version: Math.floor(ttl / 65_536) % 256 };
}

/** Letters of ASCII alone are folded (RFC 4343): toLowerCase knows more of them. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

class Reader {
  readonly #octets: Uint8Array;
  #at = 0;
  #mostPointers = 0;
  #pointers = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  message(): ReadMessage {
    const id = this.#word();
    const flags = this.#word();
    const counts = [this.#word(), this.#word(), this.#word(), this.#word()];
    const questions = Array.from({ length: counts[0] ?? 0 }, () => ({
      name: this.#name(),
      type: this.#word(),
      class: this.#word(),
    }));
    const sections = counts.slice(1).map((count) => Array.from({ length: count }, () => this.#record()));
    if (this.#at !== this.#octets.length) throw new Malformed('octets after the last record');
    return {
      id,
      flags,
      questions,
      sections,
      mostPointers: this.#mostPointers,
      pointers: this.#pointers,
    };
  }

  #octet(): number {
    const octet = this.#octets[this.#at];
    if (octet === undefined) throw new Malformed('cut off');
    this.#at += 1;
    return octet;
  }

  #word(): number {
    return this.#octet() * 256 + this.#octet();
  }

  #record(): ReadRecord {
    const owner = this.#name();
    const type = this.#word();
    const recordClass = this.#word();
    const ttl = this.#word() * 65_536 + this.#word();
    const length = this.#word();
    const start = this.#at;
    if (start + length > this.#octets.length) throw new Malformed('data beyond the end');
    const target = type === 5 ? this.#name() : null;
    if (target !== null && this.#at !== start + length) throw new Malformed('CNAME data is not one name');
    if (recordClass === 1 && ((type === 1 && length !== 4) || (type === 28 && length !== 16))) {
      throw new Malformed('an address of another length');
    }
    this.#at = start + length;
    return {
      owner,
      type,
      class: recordClass,
      ttl,
      data: [...this.#octets.slice(start, start + length)],
      target,
    };
  }

  /**
   * Labels from here on. A pointer leads to a place before the labels it stands behind, and what is read there is over
   * before they begin: else it is no prior occurrence (RFC 1035 section 4.1.4).
   */
  #name(): string[] {
    const labels: string[] = [];
    let size = 1;
    let bound = this.#at;
    let over: number | null = null;
    let back: number | null = null;
    let pointers = 0;
    for (;;) {
      const length = this.#octet();
      const octetsHere = length >= 192 ? 2 : length > 63 ? 1 : length + 1;
      if (over !== null && this.#at - 1 + octetsHere > over) throw new Malformed(runsOn);
      if (length === 0) break;
      if (length >= 192) {
        const target = (length - 192) * 256 + this.#octet();
        back ??= this.#at;
        if (target < 12) throw new Malformed('pointer into the header');
        if (target >= bound) throw new Malformed('pointer does not go back');
        over = bound;
        bound = target;
        pointers += 1;
        this.#pointers += 1;
        this.#mostPointers = Math.max(this.#mostPointers, pointers);
        this.#at = target;
        continue;
      }
      if (length > 63) throw new Malformed('label type that is none');
      size += length + 1;
      if (size > 255) throw new Malformed('name over 255 octets');
      if (this.#at + length > this.#octets.length) throw new Malformed('cut off');
      labels.push(foldCase(latin1(this.#octets.subarray(this.#at, this.#at + length))));
      this.#at += length;
    }
    if (back !== null) this.#at = back;
    return labels;
  }
}
