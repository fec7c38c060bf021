/**
 * dns-build: from an accepted reply, the pins to make and then the guest's answer, built from scratch. An
 * address is in the answer if and only if it is pinned.
 */
import type { AllowedPort } from './allowlist.ts';
import { type DnsPolicy, type Transport, udpPayloadOctets } from './dns-policy.ts';
import { emptyAnswer } from './dns-query.ts';
import { sameName, type WireName } from './name.ts';
import {
  classIn,
  flag,
  headerOctets,
  type Message,
  MessageWriter,
  type ResourceRecord,
  rcode,
  type,
  u16,
} from './wire.ts';

/** An address to pin: where its octets stand in the reply, and how long the pin lives. */
export interface PlannedAddress {
  readonly offset: number;
  readonly length: 4 | 16;
}

export interface AnswerPlan {
  /** The answer when nothing has to be pinned: NXDOMAIN, NODATA, truncated, SERVFAIL; else null. */
  readonly final: Uint8Array | null;
  readonly addresses: readonly PlannedAddress[];
  /** Each address is pinned for each of these. */
  readonly ports: readonly AllowedPort[];
  /** Life of the pins: the least TTL of record and chain, within floor and ceiling. */
  readonly pinTtlSeconds: number;
  /** The least TTL of chain and records, as received. */
  readonly recordTtlSeconds: number;
  /** CNAME records from QNAME to the owner of the addresses. */
  readonly chain: readonly CnameRecord[];
  readonly refused: readonly { readonly offset: number; readonly length: 4 | 16; readonly rule: string }[];
  readonly rule: string;
}

interface CnameRecord extends ResourceRecord {
  readonly target: WireName;
}

const isLink = (record: ResourceRecord): record is CnameRecord =>
  record.target !== null && record.class === classIn;

const maxChainRecords = 16;
const nothing = {
  addresses: [],
  ports: [],
  pinTtlSeconds: 0,
  recordTtlSeconds: 0,
  chain: [],
  refused: [],
} as const;

/** The pins that the reply calls for. `guest` is the guest's message, which dns-query forwarded. Total. */
export function planAnswer(
  policy: DnsPolicy,
  guest: Message,
  reply: Message,
  transport: Transport,
): AnswerPlan {
  const { name, type: wanted, class: wantedClass } = guest.question;
  // dns-query forwards no other question: a caller that skipped it pins nothing.
  if (wantedClass !== classIn || (wanted !== type.a && wanted !== type.aaaa))
    return end(guest, rcode.servFail, 'a question that never goes upstream');
  if (wanted === type.aaaa && !policy.ipv6)
    return end(guest, rcode.noError, 'NODATA: the IPv6 option is off');
  const code = reply.rcode;
  if (code === rcode.nxDomain) return end(guest, rcode.nxDomain, 'NXDOMAIN');
  if (code !== rcode.noError) return end(guest, rcode.servFail, `RCODE ${code}`);
  if (!sameName(name, reply.question.name) || reply.question.type !== wanted)
    return end(guest, rcode.servFail, 'another question');
  const ports = policy.allowlist.portsOf(name);
  if (ports.length === 0) return end(guest, rcode.refused, 'name is not allowlisted');
  const chain = walkChain(guest, reply);
  if (chain === null)
    return end(guest, rcode.servFail, `CNAME chain loops or exceeds ${maxChainRecords} records`);
  const { addresses, refused, recordTtlSeconds } = collectAddresses(policy, guest, reply, chain);
  if (addresses.length === 0) {
    const rule = refused.length === 0 ? 'NODATA' : 'NODATA: every address is refused';
    return { ...end(guest, rcode.noError, rule), refused };
  }
  if (transport === 'udp' && answerOctets(guest, chain, addresses) > udpLimit(guest)) {
    // Nothing is pinned for an answer that the guest has to ask again over TCP.
    return { ...end(guest, rcode.noError, 'TC: too large for UDP', true), refused };
  }
  const pinTtlSeconds = Math.min(
    Math.max(recordTtlSeconds, policy.ttlFloorSeconds),
    policy.ttlCeilingSeconds,
  );
  return {
    final: null,
    addresses,
    ports,
    pinTtlSeconds,
    recordTtlSeconds,
    chain,
    refused,
    rule: 'pin and answer',
  };
}

function end(guest: Message, code: number, rule: string, truncated = false): AnswerPlan {
  return { ...nothing, final: emptyAnswer(guest.bytes, guest, code, truncated), rule };
}

/** Addresses at the end of the chain that the policy lets through: each once, and only the first of them. */
function collectAddresses(
  policy: DnsPolicy,
  guest: Message,
  reply: Message,
  chain: readonly CnameRecord[],
): Pick<AnswerPlan, 'addresses' | 'refused' | 'recordTtlSeconds'> {
  const owner = chain.length === 0 ? guest.question.name : (chain[chain.length - 1] as CnameRecord).target;
  const wanted = guest.question.type;
  const length = wanted === type.a ? 4 : 16;
  let recordTtlSeconds = Number.MAX_SAFE_INTEGER;
  for (const record of chain) recordTtlSeconds = Math.min(recordTtlSeconds, record.ttlSeconds);
  let addresses: PlannedAddress[] = [];
  const refused: AnswerPlan['refused'][number][] = [];
  // One address alone is not looked for among others.
  let first: number | string = '';
  let others = null as Set<number | string> | null;
  for (const record of reply.answers) {
    if (record.type !== wanted || record.class !== classIn || !sameName(record.name, owner)) continue;
    if (addresses.length >= policy.maxPinsPerAnswer) break;
    const offset = record.dataOffset;
    const key = addressKey(reply.bytes, offset, length);
    if (key === first || others?.has(key) === true) continue;
    const { pin, family, rule } = policy.addresses.decide(reply.bytes, offset, length);
    // What is pinned as IPv4 cannot be answered as AAAA: the guest would connect to something that is not
    // pinned.
    if (!pin || (family === 'ipv4') !== (length === 4)) {
      refused.push({ offset, length, rule: pin ? 'IPv4-mapped address in an AAAA record' : rule });
      continue;
    }
    recordTtlSeconds = Math.min(recordTtlSeconds, record.ttlSeconds);
    if (addresses.length === 0) {
      first = key;
      addresses = [{ offset, length }];
      continue;
    }
    others ??= new Set();
    others.add(key);
    addresses.push({ offset, length });
  }
  return { addresses, refused, recordTtlSeconds };
}

/** CNAME records from QNAME on, in order; null when they loop or are too many, on the chain or beside it. */
function walkChain(guest: Message, reply: Message): CnameRecord[] | null {
  if (!reply.answers.some(isLink)) return [];
  const links = reply.answers.filter(isLink);
  // No honest answer holds links of other chains: looking through thousands for every step is what they cost.
  if (links.length > maxChainRecords) return null;
  const chain: CnameRecord[] = [];
  let owner = guest.question.name;
  // A chain that goes on after as many steps as there are links is a loop.
  for (let step = 0; step <= links.length; step++) {
    const next = links.find((record) => sameName(record.name, owner));
    if (next === undefined) return chain;
    chain.push(next);
    owner = next.target;
  }
  return null;
}

/** IPv4 is a number; of IPv6 one character for two octets. */
function addressKey(bytes: Uint8Array, offset: number, length: number): number | string {
  if (length === 4) return u16(bytes, offset) * 65_536 + u16(bytes, offset + 2);
  let key = '';
  for (let at = offset; at < offset + length; at += 2) key += String.fromCharCode(u16(bytes, at));
  return key;
}

function udpLimit(guest: Message): number {
  return Math.min(Math.max(guest.ednsPayloadOctets ?? 512, 512), udpPayloadOctets);
}

function answerOctets(
  guest: Message,
  chain: readonly CnameRecord[],
  addresses: readonly PlannedAddress[],
): number {
  let octets = guest.question.end + (guest.ednsPayloadOctets === null ? 0 : 11);
  for (const { target } of chain) octets += 12 + target.length;
  for (const { length } of addresses) octets += 12 + length;
  return octets;
}

/**
 * The answer once every pin is made.
 * @param remainingSeconds least remaining life of all pins of the plan; null when a pin failed
 */
export function buildAnswer(
  guest: Message,
  reply: Message,
  plan: AnswerPlan,
  remainingSeconds: number | null,
): Uint8Array {
  if (plan.final !== null) return plan.final;
  if (remainingSeconds === null) return emptyAnswer(guest.bytes, guest, rcode.servFail);
  const ttl = Math.min(plan.recordTtlSeconds, Math.floor(remainingSeconds));
  const writer = new MessageWriter(answerOctets(guest, plan.chain, plan.addresses));
  const edns = guest.ednsPayloadOctets !== null;
  const flags = flag.response | (u16(guest.bytes, 2) & flag.recursionDesired) | flag.recursionAvailable;
  writer.header(u16(guest.bytes, 0), flags, 1, plan.chain.length + plan.addresses.length, edns ? 1 : 0);
  writer.copy(guest.bytes, headerOctets, guest.question.end);
  // Owners are pointers: to the question, then to the target of the record before.
  let owner = headerOctets;
  for (const { target } of plan.chain) {
    writer.record(owner, type.cname, ttl, target.length);
    owner = writer.at;
    writer.copy(target, 0, target.length);
  }
  for (const { offset, length } of plan.addresses) {
    writer.record(owner, length === 4 ? type.a : type.aaaa, ttl, length);
    writer.copy(reply.bytes, offset, offset + length);
  }
  if (edns) writer.opt(udpPayloadOctets, rcode.noError);
  return writer.finish();
}
