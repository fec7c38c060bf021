/**
 * The strict wire codec of the trust boundary (RFC 1035 section 4): a message is read whole or not at all.
 * Bounded work, no exceptions; what the counts say is what is there, and nothing after it.
 */
import { freshOctets } from '#reference/base/octet-block.ts';
import { maxPointers, type NameAt, readName, type WireName } from './name.ts';
import { NameIndex } from './name-index.ts';

export const headerOctets = 12;
export const type = { a: 1, cname: 5, aaaa: 28, opt: 41 } as const;
export const classIn = 1;
/** Over 15 it is in two parts: RFC 6891 section 6.1.3. */
export const rcode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;
export const flag = {
  response: 0x8000,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
} as const;

export interface Question {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** Offset of the octet after the question. */
  readonly end: number;
}

export interface ResourceRecord {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** Seconds; with the top bit set it is zero (RFC 2181 section 8). */
  readonly ttlSeconds: number;
  readonly dataOffset: number;
  readonly dataLength: number;
  /** Only of a CNAME. */
  readonly target: WireName | null;
}

export interface Message {
  readonly bytes: Uint8Array;
  readonly question: Question;
  readonly answers: readonly ResourceRecord[];
  /** Of the header, and in front of it what an OPT record adds (RFC 6891 section 6.1.3). */
  readonly rcode: number;
  /** Of an OPT record; 0 without one. */
  readonly ednsVersion: number;
  /** UDP payload size that an OPT record offers (RFC 6891), or null without one. */
  readonly ednsPayloadOctets: number | null;
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function opcodeOf(bytes: Uint8Array): number {
  return ((bytes[2] as number) >> 3) & 15;
}

/** So many names are kept in a list, which costs an honest message less than an index does. */
const fewNames = 8;

/**
 * Names that were read before: most owners are a pointer to one of them. Counts what pointers there are in all names of
 * the message, those of a known name again and again.
 */
class NameCache {
  readonly #offsets = new Uint16Array(fewNames);
  readonly #names: NameAt[] = [];
  #count = 0;
  #index: NameIndex | null = null;
  end = 0;
  pointers = 0;

  /** A message is read without a break: one cache serves them all, one after the other. */
  begin(): this {
    this.#count = 0;
    this.#index = null;
    this.pointers = 0;
    return this;
  }

  #placeOf(offset: number): number {
    for (let place = 0; place < this.#count; place++) if (this.#offsets[place] === offset) return place;
    return -1;
  }

  read(bytes: Uint8Array, offset: number): WireName | null {
    const first = bytes[offset] as number;
    if (first >= 0xc0) {
      const known = this.#placeOf(((first & 0x3f) << 8) | (bytes[offset + 1] as number));
      if (known !== -1) {
        const { name, pointers } = this.#names[known] as NameAt;
        if (pointers === maxPointers) return null;
        this.end = offset + 2;
        this.pointers += pointers + 1;
        return name;
      }
    }
    const found = readName(bytes, offset, this.#index);
    if (found === null) return null;
    this.end = found.end;
    this.pointers += found.pointers;
    if (this.#count < fewNames) {
      this.#offsets[this.#count] = offset;
      this.#names[this.#count] = found;
      this.#count += 1;
    } else {
      this.#index ??= new NameIndex();
    }
    return found.name;
  }
}

const nameCache = new NameCache();

/**
 * Reads a message with exactly one question. Null when anything in it is malformed. What reaches beyond the message
 * reads as zeros and ends beyond it, where no message ends: it is refused there.
 */
export function readMessage(bytes: Uint8Array): Message | null {
  if (bytes.length > 65_535 || u16(bytes, 4) !== 1) return null;
  const names = nameCache.begin();
  const question = readQuestion(bytes, names);
  if (question === null) return null;
  const reader = new RecordReader(bytes, question.end, names);
  const answers = reader.section(u16(bytes, 6), false);
  const authority = reader.section(u16(bytes, 8), false);
  const additional = reader.section(u16(bytes, 10), true);
  if (answers === null || authority === null || additional === null || reader.at !== bytes.length)
    return null;
  let ednsPayloadOctets: number | null = null;
  let ednsVersion = 0;
  let code = (bytes[3] as number) & 15;
  for (const record of additional) {
    if (record.type !== type.opt) continue;
    // RFC 6891 section 6.1.1: at most one OPT, owned by the root.
    if (ednsPayloadOctets !== null || record.name.length !== 1) return null;
    ednsPayloadOctets = record.class;
    // Where others have their TTL.
    code |= (bytes[record.dataOffset - 6] as number) << 4;
    ednsVersion = bytes[record.dataOffset - 5] as number;
  }
  return { bytes, question, answers, rcode: code, ednsVersion, ednsPayloadOctets };
}

function readQuestion(bytes: Uint8Array, names: NameCache): Question | null {
  const name = names.read(bytes, headerOctets);
  if (name === null) return null;
  return { name, type: u16(bytes, names.end), class: u16(bytes, names.end + 2), end: names.end + 4 };
}

const noRecords: readonly ResourceRecord[] = [];

class RecordReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #names: NameCache;

  constructor(bytes: Uint8Array, at: number, names: NameCache) {
    this.#bytes = bytes;
    this.at = at;
    this.#names = names;
  }

  /** @param optMayBe an OPT record stands in ADDITIONAL or nowhere (RFC 6891 section 6.1.1) */
  section(count: number, optMayBe: boolean): readonly ResourceRecord[] | null {
    if (count === 0) return noRecords;
    let records: ResourceRecord[] | null = null;
    for (let index = 0; index < count; index++) {
      const record = this.#record();
      if (record === null || (record.type === type.opt && !optMayBe)) return null;
      // A pointer takes two octets, yet every record may lead through all that there are: quadratic (RFC 9267).
      if (this.#names.pointers > this.#bytes.length) return null;
      // An array that is made of what it holds takes no room for more.
      if (records === null) records = [record];
      else records.push(record);
    }
    return records;
  }

  #record(): ResourceRecord | null {
    const bytes = this.#bytes;
    const name = this.#names.read(bytes, this.at);
    const fixed = this.#names.end;
    if (name === null) return null;
    const dataOffset = fixed + 10;
    const dataLength = u16(bytes, fixed + 8);
    const recordType = u16(bytes, fixed);
    const recordClass = u16(bytes, fixed + 2);
    let target: WireName | null = null;
    if (recordType === type.cname) {
      target = this.#names.read(bytes, dataOffset);
      if (this.#names.end !== dataOffset + dataLength) return null;
    } else if (recordClass === classIn) {
      if (recordType === type.a && dataLength !== 4) return null;
      if (recordType === type.aaaa && dataLength !== 16) return null;
    }
    this.at = dataOffset + dataLength;
    const high = bytes[fixed + 4] as number;
    const ttlSeconds =
      high >= 0x80 ? 0 : (high << 24) | ((bytes[fixed + 5] as number) << 16) | u16(bytes, fixed + 6);
    return { name, type: recordType, class: recordClass, ttlSeconds, dataOffset, dataLength, target };
  }
}

/** Writes a message into octets that are used once. */
export class MessageWriter {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(octets: number) {
    this.#bytes = freshOctets(octets);
  }

  u8(value: number): void {
    this.#bytes[this.at] = value;
    this.at += 1;
  }

  u16(value: number): void {
    this.#bytes[this.at] = value >> 8;
    this.#bytes[this.at + 1] = value;
    this.at += 2;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  copy(from: Uint8Array, start: number, end: number): void {
    for (let index = start; index < end; index++)
      this.#bytes[this.at + index - start] = from[index] as number;
    this.at += end - start;
  }

  header(id: number, flags: number, questions: number, answers: number, additional: number): void {
    this.u16(id);
    this.u16(flags);
    this.u16(questions);
    this.u16(answers);
    this.u16(0);
    this.u16(additional);
  }

  /** Everything of a record but its data; the owner is a pointer. */
  record(owner: number, recordType: number, ttlSeconds: number, dataLength: number): void {
    this.u16(0xc000 | owner);
    this.u16(recordType);
    this.u16(classIn);
    this.u32(ttlSeconds);
    this.u16(dataLength);
  }

  /** An OPT record of version 0, without flags and options (RFC 6891 section 6.1.2). */
  opt(payloadOctets: number, code: number): void {
    this.u8(0);
    this.u16(type.opt);
    this.u16(payloadOctets);
    this.u32((code >> 4) << 24);
    this.u16(0);
  }

  /** A view of a short array would move it out of the heap: who knows the length gets the array itself. */
  finish(): Uint8Array {
    return this.at === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.at);
  }
}
