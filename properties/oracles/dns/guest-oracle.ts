/**
 * What must become of a guest's message, from findings.md F1 and the RFCs alone: forwarded as exactly these octets,
 * answered with this code, or dropped.
 */
import { encodeName, type Labels, types } from '../../models/dns-message.ts';
import type { DnsConfig } from '../../models/dns-session.ts';
import { diagnose, ednsOf, type ReadMessage } from './strict-reader.ts';

/**
 * RFC 1035 bounds no chain of pointers. A name has 127 labels at most, and twice that is read here; all names together
 * may take as many pointers as the message has octets.
 */
const mostPointersRead = 255;
const payloadOctets = 1_232;

export type RequiredOfGuest =
  | { readonly kind: 'drop' }
  /** Codes over 15 are an OPT's and the header's (RFC 6891 section 6.1.3). */
  | { readonly kind: 'answer'; readonly code: number; readonly read: ReadMessage | null }
  | { readonly kind: 'forward'; readonly octets: readonly number[]; readonly read: ReadMessage };

export interface Randomness {
  readonly id: number;
  readonly caseBits: Uint8Array;
}

/** What is wrong with a message that has one question, as this project reads it; null: nothing. */
export function faultOf(read: ReadMessage | string, octets: number): string | null {
  if (typeof read === 'string') return read;
  if (read.questions.length !== 1) return 'QDCOUNT is not 1';
  if (read.mostPointers > mostPointersRead || read.pointers > octets) return 'too many pointers';
  const [answers = [], authority = [], additional = []] = read.sections;
  const opts = additional.filter(({ type }) => type === types.opt);
  if (opts.length > 1) return 'more than one OPT';
  if (opts.some(({ owner }) => owner.length > 0)) return 'OPT is not owned by the root';
  return [...answers, ...authority].some(({ type }) => type === types.opt) ? 'OPT outside ADDITIONAL' : null;
}

/** UDP payload size that the guest offers; null: no EDNS. */
export function offeredOctets(read: ReadMessage): number | null {
  return read.sections[2]?.find(({ type }) => type === types.opt)?.class ?? null;
}

/** Entries of the policy that allow the name; names of letters, digits, - and _ alone, compared by labels. */
export function allowedPorts(config: DnsConfig, name: Labels): string[] {
  if (name.length === 0 || name.some((label) => !/^[a-z0-9_-]+$/.test(label))) return [];
  const text = name.join('.');
  const found = config.allow.flatMap((entry) => {
    const [, protocol = 'tcp', host = '', port = ''] = /^(?:(tcp|udp):\/\/)?(.+):(\d+)$/.exec(entry) ?? [];
    const matches = host.startsWith('*.') ? text.endsWith(host.slice(1)) : text === host;
    return matches ? [`${protocol} ${port}`] : [];
  });
  return [...new Set(found)];
}

export function requiredOfGuest(config: DnsConfig, octets: Uint8Array, random: Randomness): RequiredOfGuest {
  const word = ((octets[2] ?? 0) << 8) | (octets[3] ?? 0);
  if (octets.length < 12 || (word & 0x8000) !== 0) return { kind: 'drop' };
  const answer = (code: number, own: ReadMessage | null) => ({ kind: 'answer', code, read: own }) as const;
  if ((word & 0x7800) !== 0) return answer(4, null);
  const read = diagnose(octets);
  if (typeof read === 'string' || faultOf(read, octets.length) !== null) return answer(1, null);
  const [question] = read.questions;
  if (question === undefined) return answer(1, null);
  if (ednsOf(read).version !== 0) return answer(16, read);
  const { name, type } = question;
  if (question.class !== 1 || allowedPorts(config, name).length === 0) return answer(5, read);
  if (type !== types.a && type !== types.aaaa) return answer(0, read);
  if (type === types.aaaa && !config.ipv6) return answer(0, read);
  return { kind: 'forward', octets: upstreamQuery(config, name, type, random), read };
}

/** The query that goes upstream: a function of canonical name, type and randomness, and of nothing else. */
function upstreamQuery(config: DnsConfig, name: Labels, type: number, random: Randomness): number[] {
  const written = encodeName(name).map((octet, at) => {
    const coin = ((random.caseBits[Math.floor(at / 8)] ?? 0) >> (at % 8)) & 1;
    const isLetter = octet >= 97 && octet <= 122;
    return config.randomCase && isLetter && coin === 1 ? octet - 32 : octet;
  });
  const header = [random.id >> 8, random.id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
  const opt = [0, 0, types.opt, payloadOctets >> 8, payloadOctets & 255, 0, 0, 0, 0, 0, 0];
  return [...header, ...written, 0, type, 0, 1, ...opt];
}
