/**
 * DNS messages as attackers write them: every octet in a label, every count, every section; no compression.
 */

/** Labels as latin1 strings: a dot inside a label is an octet like any other. */
export type Labels = readonly string[];

export interface ModelQuestion {
  readonly name: Labels;
  readonly type: number;
  readonly class: number;
}

export type ModelData =
  | { readonly address: readonly number[] }
  | { readonly target: Labels }
  | { readonly raw: readonly number[] };

export interface ModelRecord {
  readonly owner: Labels;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: ModelData;
}

export interface ModelMessage {
  readonly id: number;
  /** The whole second word: QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE. */
  readonly flags: number;
  readonly questions: readonly ModelQuestion[];
  readonly answers: readonly ModelRecord[];
  readonly authority: readonly ModelRecord[];
  readonly additional: readonly ModelRecord[];
  /** Added to QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT: counts that lie. */
  readonly countsOff?: readonly [number, number, number, number];
  readonly trailing?: readonly number[];
}

export const types = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  txt: 16,
  aaaa: 28,
  opt: 41,
  svcb: 64,
  https: 65,
  any: 255,
} as const;
export const flags = {
  response: 0x8000,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
} as const;

export function encodeName(labels: Labels): number[] {
  return [...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
}

const word = (value: number) => [(value >> 8) & 255, value & 255];
const long = (value: number) => [...word(Math.floor(value / 65_536)), ...word(value % 65_536)];

function encodeRecord({ owner, type, class: recordClass, ttl, data }: ModelRecord): number[] {
  const octets =
    'address' in data ? [...data.address] : 'raw' in data ? [...data.raw] : encodeName(data.target);
  return [
    ...encodeName(owner),
    ...word(type),
    ...word(recordClass),
    ...long(ttl),
    ...word(octets.length),
    ...octets,
  ];
}

export function encodeMessage(message: ModelMessage): number[] {
  const sections = [message.questions, message.answers, message.authority, message.additional];
  const counts = sections.flatMap(({ length }, index) => word(length + (message.countsOff?.[index] ?? 0)));
  const questions = message.questions.flatMap(({ name, type, class: questionClass }) => [
    ...encodeName(name),
    ...word(type),
    ...word(questionClass),
  ]);
  const records = [...message.answers, ...message.authority, ...message.additional].flatMap(encodeRecord);
  return [
    ...word(message.id),
    ...word(message.flags),
    ...counts,
    ...questions,
    ...records,
    ...(message.trailing ?? []),
  ];
}

export function hexOf(octets: readonly number[]): string {
  return Buffer.from(octets).toString('hex');
}

/** A stub's plain query. */
export function query(name: Labels, type: number, id = 0x1234): ModelMessage {
  const questions = [{ name, type, class: 1 }];
  return { id, flags: flags.recursionDesired, questions, answers: [], authority: [], additional: [] };
}

export function textOfLabels(labels: Labels): string {
  const escaped = labels.map((label) =>
    label.replace(/[^a-zA-Z0-9_-]/g, (letter) => `\\${String(letter.charCodeAt(0)).padStart(3, '0')}`),
  );
  return `${escaped.join('.')}.`;
}

const typeNames = new Map(Object.entries(types).map(([name, code]) => [code as number, name.toUpperCase()]));

export function typeName(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`;
}

/** A record in master file notation (RFC 1035 section 5, RFC 3597). */
export function textOfRecord({ owner, type, class: recordClass, ttl, data }: ModelRecord): string {
  const value =
    'target' in data
      ? textOfLabels(data.target)
      : 'address' in data
        ? addressOf(data.address)
        : `\\# ${data.raw.length} ${hexOf(data.raw)}`;
  const className = recordClass === 1 ? 'IN' : `CLASS${recordClass}`;
  return `${textOfLabels(owner)} ${ttl} ${className} ${typeName(type)} ${value}`;
}

function addressOf(octets: readonly number[]): string {
  if (octets.length === 4) return octets.join('.');
  return (hexOf(octets).match(/.{4}/g) ?? [])
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** The question of a query that is written without compression, in the case in which it was sent. */
export function questionOf(queryHex: string): ModelQuestion {
  const octets = Buffer.from(queryHex, 'hex');
  const name: string[] = [];
  let at = 12;
  for (let length = octets[at] ?? 0; length !== 0 && at < octets.length; length = octets[at] ?? 0) {
    name.push(octets.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const field = (offset: number) => ((octets[offset] ?? 0) << 8) | (octets[offset + 1] ?? 0);
  return { name, type: field(at + 1), class: field(at + 3) };
}

/** An honest server's reply to a query, with these records. */
export function replyTo(queryHex: string, answers: readonly ModelRecord[], code = 0): ModelMessage {
  return {
    id: Number.parseInt(queryHex.slice(0, 4), 16),
    flags: flags.response | flags.recursionDesired | flags.recursionAvailable | code,
    questions: [questionOf(queryHex)],
    answers,
    authority: [],
    additional: [],
  };
}
