/** What a guest gets out of an answer, read strictly and, where that fails, as leniently as dns-packet does. */
import { isIP } from 'node:net';
import type { Labels } from '#properties/models/dns-message.ts';
import { addressNumber, addressText } from '#properties/oracles/addresses/address-number.ts';
import { decodeAnswer } from '#properties/oracles/dns/answer-oracle.ts';
import { ednsOf, type ReadRecord, readStrictly } from '#properties/oracles/dns/strict-reader.ts';

export interface Answer {
  /** Only a lenient decoder can read it. */
  readonly malformed: boolean;
  readonly code: number;
  readonly truncated: boolean;
  /** A and AAAA in ANSWER, whatever their owner and class. */
  readonly addresses: readonly { readonly address: string; readonly ttl: number; readonly type: number }[];
  /** TTLs of CNAME records in ANSWER. */
  readonly aliasTtls: readonly number[];
  /** Addresses anywhere else: `ADDITIONAL A 10.0.0.1`, `HTTPS ipv4hint 10.0.0.1`. */
  readonly elsewhere: readonly string[];
}

const codes: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
};
const codeNames = new Map(Object.entries(codes).map(([name, code]) => [code, name]));
export const codeName = (code: number) => codeNames.get(code) ?? `RCODE ${code}`;

const [typeA, typeAaaa, typeCname, typeSvcb, typeHttps] = [1, 28, 5, 64, 65];
const [ipv4Hint, ipv6Hint] = [4, 6];

/** null: no decoder here reads it as a DNS message. */
export function readAnswer(octets: Uint8Array): Answer | null {
  const message = readStrictly(octets);
  if (message === null) return readLeniently(octets);
  const [answers = [], authority = [], additional = []] = message.sections;
  const isAddress = ({ type, class: ownClass, data }: ReadRecord) =>
    (type === typeA && data.length === 4) || (type === typeAaaa && data.length === 16 && ownClass !== 0);
  const named = (section: string, records: readonly ReadRecord[]) =>
    records
      .filter(isAddress)
      .map(({ type, data }) => `${section} ${type === typeA ? 'A' : 'AAAA'} ${textOf(data)}`);
  return {
    malformed: false,
    code: ednsOf(message).code,
    truncated: (message.flags & 0x0200) !== 0,
    addresses: answers.filter(isAddress).map(({ data, ttl, type }) => ({ address: textOf(data), ttl, type })),
    aliasTtls: answers.filter(({ type }) => type === typeCname).map(({ ttl }) => ttl),
    elsewhere: [
      ...named('AUTHORITY', authority),
      ...named('ADDITIONAL', additional),
      ...[...answers, ...authority, ...additional].flatMap(hintsOf),
    ],
  };
}

function readLeniently(octets: Uint8Array): Answer | null {
  const decoded = decodeAnswer(Buffer.from(octets).toString('hex'));
  if (decoded === null) return null;
  return {
    malformed: true,
    code: codes[decoded.rcode] ?? (octets[3] ?? 0) & 15,
    truncated: decoded.truncated,
    // Of a record that is too short it makes half an address.
    addresses: decoded.addresses
      .filter(({ address }) => isIP(address) !== 0)
      .map(({ address, ttl }) => ({
        address: addressText(addressNumber(address)),
        ttl,
        type: address.includes(':') ? typeAaaa : typeA,
      })),
    aliasTtls: [],
    elsewhere: decoded.foreign.filter((text) => / A(AAA)?$/.test(text)),
  };
}

export function textOf(octets: readonly number[]): string {
  const value = octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
  return addressText({ family: octets.length === 4 ? 4 : 6, value });
}

/** ipv4hint and ipv6hint of an SVCB or HTTPS record (RFC 9460 section 7.3). */
function hintsOf({ type, data }: ReadRecord): string[] {
  if (type !== typeSvcb && type !== typeHttps) return [];
  const name = type === typeSvcb ? 'SVCB' : 'HTTPS';
  const found: string[] = [];
  for (let at = afterName(data, 2); at + 4 <= data.length; ) {
    const key = word(data, at);
    const length = word(data, at + 2);
    const value = data.slice(at + 4, at + 4 + length);
    const size = key === ipv4Hint ? 4 : key === ipv6Hint ? 16 : 0;
    for (let from = 0; size > 0 && from + size <= value.length; from += size) {
      found.push(`${name} ipv${key}hint ${textOf(value.slice(from, from + size))}`);
    }
    at += 4 + length;
  }
  return found;
}

const word = (data: readonly number[], at: number) => ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);

/** Uncompressed, as RFC 9460 section 2.2 wants it. */
function afterName(data: readonly number[], start: number): number {
  let at = start;
  while (at < data.length && data[at] !== 0) at += (data[at] ?? 0) + 1;
  return at + 1;
}

/** Whether the octets of an address stand anywhere in a message that nobody can read. */
export function carries(octets: Uint8Array, address: string): boolean {
  return Buffer.from(octets).includes(Buffer.from(octetsOf(address)));
}

export function octetsOf(address: string): number[] {
  const { family, value } = addressNumber(address);
  const length = family === 4 ? 4 : 16;
  return Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 0xffn));
}

/** `NOERROR 93.184.216.34 ttl 60`, for people. */
export function answerWords(answer: Answer | null): string {
  if (answer === null) return 'octets that are no DNS message';
  const shown = answer.addresses.slice(0, 4).map(({ address, ttl }) => `${address} ttl ${ttl}`);
  const more = answer.addresses.length > 4 ? [`… ${answer.addresses.length} addresses`] : [];
  const rest = answer.elsewhere.slice(0, 4);
  return [
    codeName(answer.code),
    ...(answer.truncated ? ['TC=1'] : []),
    ...shown,
    ...more,
    ...rest,
    ...(answer.malformed ? ['(malformed)'] : []),
  ].join(' ');
}

export const textOfName = (name: Labels) => `${name.join('.')}.`;
