/** DNS messages for tests: honest ones by default, and wrong in one place where a test says so. */

const word = (value: number) => [(value >> 8) & 255, value & 255];
const typeNumbers = { A: 1, CNAME: 5, AAAA: 28, TXT: 16, HTTPS: 65 } as const;
export type RecordType = keyof typeof typeNumbers;

export function wireName(name: string): number[] {
  const labels = name === '' ? [] : name.split('.');
  return [...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
}

export interface QuestionShape {
  readonly id?: number;
  readonly type?: RecordType;
  readonly flags?: number;
  /** UDP payload size of an OPT record; null: none. */
  readonly edns?: number | null;
  /** Of that record. */
  readonly ednsVersion?: number;
}

export function question(name: string, shape: QuestionShape = {}): Uint8Array {
  const { id = 0x1234, type = 'A', flags = 0x0100, edns = null, ednsVersion = 0 } = shape;
  const opt = edns === null ? [] : [0, 0, 41, ...word(edns), 0, ednsVersion, 0, 0, 0, 0];
  return Uint8Array.from([
    ...[...word(id), ...word(flags), 0, 1, 0, 0, 0, 0, ...word(edns === null ? 0 : 1)],
    ...[...wireName(name), ...word(typeNumbers[type]), 0, 1, ...opt],
  ]);
}

export interface SampleRecord {
  /** null: a pointer to the question. */
  readonly owner?: string | null;
  readonly type?: RecordType;
  readonly ttl?: number;
  readonly data: readonly number[];
}

export const a = (address: string, ttl = 60): SampleRecord => ({ ttl, data: address.split('.').map(Number) });
export const aaaa = (hex: string, ttl = 60): SampleRecord => ({
  ...{ type: 'AAAA', ttl },
  data: [...Buffer.from(hex.padEnd(32, '0'), 'hex')],
});
export const cname = (target: string, ttl = 60): SampleRecord => ({
  ...{ type: 'CNAME', ttl },
  data: wireName(target),
});

export interface ReplyShape {
  readonly id?: number;
  readonly flags?: number;
  /** TTL of an OPT record at its end: extended RCODE, version, flags; by default there is none. */
  readonly edns?: number;
  /** The question as it stands in the reply; by default the query's. */
  readonly question?: Uint8Array;
}

const opaque = 11;

/** To a query of ours, which ends with an OPT record. */
export function reply(
  query: Uint8Array,
  records: readonly SampleRecord[],
  shape: ReplyShape = {},
): Uint8Array {
  const { id = ((query[0] ?? 0) << 8) | (query[1] ?? 0), flags = 0x8180 } = shape;
  const { edns } = shape;
  const opt =
    edns === undefined ? [] : [0, 0, 41, 4, 208, ...word(edns >>> 16), ...word(edns & 0xffff), 0, 0];
  const asked = shape.question ?? query.subarray(12, query.length - opaque);
  const answers = records.flatMap(({ owner = null, type = 'A', ttl = 60, data }) => [
    ...(owner === null ? [0xc0, 12] : wireName(owner)),
    ...[
      ...word(typeNumbers[type]),
      0,
      1,
      ...word(ttl >>> 16),
      ...word(ttl & 0xffff),
      ...word(data.length),
      ...data,
    ],
  ]);
  return Uint8Array.from([
    ...[...word(id), ...word(flags), 0, 1, ...word(records.length), 0, 0, 0, edns === undefined ? 0 : 1],
    ...[...asked, ...answers, ...opt],
  ]);
}

export interface ReadAnswer {
  readonly id: number;
  readonly rcode: number;
  readonly truncated: boolean;
  /** Text of the addresses, by the record's place. */
  readonly addresses: string[];
  readonly ttls: number[];
}

/** An answer of ours: its owners are pointers. */
export function readAnswer(bytes: Uint8Array): ReadAnswer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint16(6);
  let at = 12;
  if (view.getUint16(4) === 1) {
    while (at < bytes.length && bytes[at] !== 0) at += (bytes[at] ?? 0) + 1;
    at += 5;
  }
  const addresses: string[] = [];
  const ttls: number[] = [];
  for (let index = 0; index < count; index++) {
    const length = view.getUint16(at + 10);
    ttls.push(view.getUint32(at + 6));
    const data = bytes.subarray(at + 12, at + 12 + length);
    if (view.getUint16(at + 2) === 1) addresses.push(data.join('.'));
    if (view.getUint16(at + 2) === 28) addresses.push(Buffer.from(data).toString('hex'));
    at += 12 + length;
  }
  const flags = view.getUint16(2);
  return { id: view.getUint16(0), rcode: flags & 15, truncated: (flags & 0x200) !== 0, addresses, ttls };
}
