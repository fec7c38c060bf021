/**
 * What must become of an upstream's message, from findings.md F1, RFC 5452 and RFC 1034 alone: whether it is the reply,
 * which addresses it gives for which name, and for how long.
 */
import { encodeName, type Labels, types } from '../../models/dns-message.ts';
import type { DnsConfig } from '../../models/dns-session.ts';
import { addressText } from '../addresses/address-number.ts';
import { requiredOf } from '../addresses/address-oracle.ts';
import { faultOf } from './guest-oracle.ts';
import { diagnose, ednsOf, foldCase, type ReadMessage, type ReadRecord } from './strict-reader.ts';

const mostLinks = 16;
const responseBit = 0x8000;
const opcodeBits = 0x7800;
const truncatedBit = 0x0200;

export type RequiredOfReply =
  | { readonly verdict: 'ignore' | 'retry-tcp' | 'fail' }
  | { readonly verdict: 'accept'; readonly read: ReadMessage };

/** @param query as it was sent: header, one uncompressed question, OPT */
export function requiredOfReply(
  config: DnsConfig,
  query: Uint8Array,
  reply: Uint8Array,
  transport: 'udp' | 'tcp',
): RequiredOfReply {
  const word = (at: number) => ((reply[at] ?? 0) << 8) | (reply[at + 1] ?? 0);
  const flags = word(2);
  const isOurs =
    reply.length >= 12 &&
    reply[0] === query[0] &&
    reply[1] === query[1] &&
    (flags & responseBit) !== 0 &&
    (flags & opcodeBits) === 0 &&
    word(4) === 1 &&
    sameQuestionText(query, reply, config.randomCase);
  if (!isOurs) return { verdict: 'ignore' };
  if ((flags & truncatedBit) !== 0) return { verdict: transport === 'udp' ? 'retry-tcp' : 'fail' };
  const read = diagnose(reply);
  if (typeof read === 'string' || faultOf(read, reply.length) !== null) return { verdict: 'ignore' };
  const { code } = ednsOf(read);
  return code === 0 || code === 3 ? { verdict: 'accept', read } : { verdict: 'fail' };
}

/** The octets of the question, letter by letter; in either case where 0x20 is off. */
function sameQuestionText(query: Uint8Array, reply: Uint8Array, exactCase: boolean): boolean {
  const end = query.indexOf(0, 12) + 5;
  const text = (octets: Uint8Array) => Buffer.from(octets.subarray(12, end)).toString('latin1');
  const [sent, got] = [text(query), text(reply)];
  if (exactCase) return sent === got;
  // Lengths of labels are below the letters, type and class above 64 are no question that was sent.
  return foldCase(sent) === foldCase(got);
}

export interface RequiredPlan {
  /** RCODE of an answer without records; null: there are addresses to pin. */
  readonly code: number | null;
  readonly chain: readonly ReadRecord[];
  /** Octets of the addresses, in order. */
  readonly addresses: readonly (readonly number[])[];
  readonly ttlSeconds: number;
}

const bare = (code: number): RequiredPlan => ({ code, chain: [], addresses: [], ttlSeconds: 0 });

/** What the reply gives for the guest's question. */
export function requiredPlan(config: DnsConfig, guest: ReadMessage, reply: ReadMessage): RequiredPlan {
  const [question] = guest.questions;
  const answers = reply.sections[0] ?? [];
  if (question === undefined) return bare(2);
  if (ednsOf(reply).code === 3) return bare(3);
  const isLink = ({ type, class: own }: ReadRecord) => type === types.cname && own === 1;
  // More links than a chain may have: nothing of it is walked.
  if (answers.filter(isLink).length > mostLinks) return bare(2);
  const chain: ReadRecord[] = [];
  let owner = question.name;
  for (;;) {
    const here = owner;
    const next = answers.find((record) => isLink(record) && sameLabels(record.owner, here));
    if (next === undefined) break;
    if (chain.length === mostLinks) return bare(2);
    chain.push(next);
    owner = next.target ?? [];
  }
  const end = owner;
  const found = new Map<string, ReadRecord>();
  for (const record of answers) {
    if (record.type !== question.type || record.class !== 1 || !sameLabels(record.owner, end)) continue;
    if (found.size === config.maxPinsPerAnswer) break;
    const text = textOfAddress(record.data);
    if (!found.has(text) && mayPin(config, text)) found.set(text, record);
  }
  if (found.size === 0) return bare(0);
  const ttls = [...chain, ...found.values()].map(({ ttl }) => (ttl >= 2 ** 31 ? 0 : ttl));
  return {
    code: null,
    chain,
    addresses: [...found.values()].map(({ data }) => data),
    ttlSeconds: Math.min(...ttls),
  };
}

function sameLabels(a: Labels, b: Labels): boolean {
  return a.length === b.length && a.every((label, index) => label === b[index]);
}

export function textOfAddress(octets: readonly number[]): string {
  const value = octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  return addressText({ family: octets.length === 4 ? 4 : 6, value });
}

const known = new WeakMap<DnsConfig, Map<string, boolean>>();

/** An IPv4-mapped address is its IPv4, which an AAAA record cannot give. */
function mayPin(config: DnsConfig, text: string): boolean {
  const own = known.get(config) ?? new Map<string, boolean>();
  known.set(config, own);
  const before = own.get(text);
  if (before !== undefined) return before;
  const may = !text.startsWith('::ffff:') && requiredOf(config, text).mayPin;
  if (own.size < 20_000) own.set(text, may);
  return may;
}

/** Octets of the answer that holds all of it, owners as pointers and names in full, as it is sent to the guest. */
export function answerOctets(guest: ReadMessage, hasEdns: boolean, plan: RequiredPlan): number {
  const question = guest.questions[0]?.name ?? [];
  const names = plan.chain.map(({ target }) => 12 + encodeName(target ?? []).length);
  const addresses = plan.addresses.map(({ length }) => 12 + length);
  const records = [...names, ...addresses].reduce((sum, octets) => sum + octets, 0);
  return 12 + encodeName(question).length + 4 + records + (hasEdns ? 11 : 0);
}
