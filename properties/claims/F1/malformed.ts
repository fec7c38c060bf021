/** F1.malformed: what is not a message does nothing. */
import * as fc from 'fast-check';
import { addressRecord, addressType, allowedName, cname, dnsConfig } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  encodeName,
  hexOf,
  type Labels,
  type ModelMessage,
  query,
  replyTo,
  textOfLabels,
  typeName,
  types,
} from '../../models/dns-message.ts';
import { pinEverything, runSession, type SessionScript } from '../../models/dns-session.ts';
import { readStrictly } from '../../oracles/dns/strict-reader.ts';
import { defineClaim } from '../claim.ts';
import { describeSession, dnsVectors, fixedRandomness, honestExchangeWorks } from '../dns-claim.ts';

/** How a message is bent after it was written. */
type Damage =
  /** These octets instead: a published vector. */
  | { readonly how: 'vector'; readonly id: string; readonly hex: string }
  | { readonly how: 'cut'; readonly octets: number }
  | { readonly how: 'set'; readonly at: number; readonly octet: number }
  | { readonly how: 'point'; readonly at: number; readonly target: number }
  | { readonly how: 'count'; readonly word: number; readonly value: number }
  | { readonly how: 'append'; readonly octets: readonly number[] }
  /** Set in the second word of the header: QR, opcode. */
  | { readonly how: 'header'; readonly bits: number }
  /** A label of so many octets, more than 63: of the question, or of the alias. */
  | { readonly how: 'label'; readonly octets: number }
  /** The CNAME's data holds octets after its name. */
  | { readonly how: 'tail'; readonly octets: readonly number[] }
  /** The address of the reply has so many octets, and RDLENGTH says so. */
  | { readonly how: 'resize'; readonly octets: number }
  /** The CNAME's target is a pointer to the next record, into the header, or to labels that run over the pointer. */
  | { readonly how: 'alias'; readonly to: 'next record' | 'header' | 'itself' };

interface MalformedCase {
  readonly side: 'guest' | 'upstream';
  readonly name: Labels;
  readonly type: number;
  readonly damage: readonly Damage[];
}

function bend(octets: readonly number[], damage: readonly Damage[]): number[] {
  let bent = [...octets];
  for (const one of damage) {
    const place = 'at' in one ? 12 + (one.at % Math.max(1, bent.length - 12)) : 0;
    if (one.how === 'vector') bent = [...Buffer.from(one.hex, 'hex')];
    if (one.how === 'cut') bent = bent.slice(0, Math.max(0, bent.length - 1 - (one.octets % bent.length)));
    if (one.how === 'set') bent[place] = one.octet;
    if (one.how === 'point') bent.splice(place, 2, 0xc0 | (one.target >> 8), one.target & 255);
    if (one.how === 'count') bent.splice(4 + 2 * one.word, 2, one.value >> 8, one.value & 255);
    if (one.how === 'append') bent = [...bent, ...one.octets];
    if (one.how === 'header' && bent.length > 2) bent[2] = (bent[2] ?? 0) | (one.bits >> 8);
    if (bent.length === 0) break;
  }
  return bent;
}

/** The name's first label, unless the damage is a longer one. */
function labelled(first: string, rest: Labels, damage: readonly Damage[]): Labels {
  const long = damage.find((one) => one.how === 'label');
  return [long === undefined ? first : 'l'.repeat(long.octets), ...rest];
}

const publicAddress = {
  [types.a]: [93, 184, 216, 34],
  [types.aaaa]: [0x26, 6, 0x28, 0, 2, 0x20, 0, 1, 2, 0x48, 0x18, 0x93, 0x25, 0xc8, 0x19, 0x46],
};

function replyOctets(sent: string, { name, type, damage }: MalformedCase): number[] {
  const whole = publicAddress[type === types.a ? types.a : types.aaaa];
  const size = damage.reduce((octets, one) => (one.how === 'resize' ? one.octets : octets), whole.length);
  const address = Array.from({ length: size }, (_, index) => whole[index] ?? 1);
  const alias = labelled('alias', ['cdn', 'net'], damage);
  const pointer = damage.find((one) => one.how === 'alias');
  if (pointer === undefined) {
    const tail = damage.flatMap((one) => (one.how === 'tail' ? one.octets : []));
    const link = { ...cname(name, alias), data: { raw: [...encodeName(alias), ...tail] } };
    return bend(encodeMessage(replyTo(sent, [link, addressRecord(alias, type, address)])), damage);
  }
  // Header octets 5 to 10 of a reply with two answers read as the labels "\0" and "\0\0" and the root.
  const reply = (target: number): ModelMessage => {
    const raw = { ...cname(name, alias), data: { raw: [0xc0 | (target >> 8), target & 255] } };
    return { ...replyTo(sent, [raw]), countsOff: [0, 1, 0, 0] };
  };
  const next = encodeMessage(reply(0)).length;
  if (pointer.to === 'itself') return bend(aliasOverItself(sent, name, [0, type, 0, 1], address), damage);
  const owner = pointer.to === 'header' ? [0xc0, 5] : encodeName(alias);
  const record = [0, type, 0, 1, 0, 0, 0, 60, 0, address.length, ...address];
  const trailing = [...owner, ...record];
  return bend(encodeMessage({ ...reply(pointer.to === 'header' ? 5 : next), trailing }), damage);
}

/**
 * The type of the CNAME, 5, is a label's length and so is the end of its TTL, 4: the second label ends behind the
 * pointer that leads there, at the root that owns the next record. The address is owned by these two labels.
 */
function aliasOverItself(sent: string, name: Labels, fixed: readonly number[], address: readonly number[]) {
  const written = (target: number): ModelMessage => {
    const record = { ...cname(name, []), ttl: 4, data: { raw: [0xc0 | (target >> 8), target & 255] } };
    return { ...replyTo(sent, [record]), countsOff: [0, 2, 0, 0] };
  };
  const end = encodeMessage(written(0)).length;
  const octets = encodeMessage(written(end - 11));
  const text = [0, 0, types.txt, 0, 1, 0, 0, 0, 0, 0, 0];
  return [
    ...octets,
    ...text,
    ...octets.slice(end - 11),
    0,
    ...fixed,
    0,
    0,
    0,
    60,
    0,
    address.length,
    ...address,
  ];
}

function scriptOf(input: MalformedCase): SessionScript {
  const { side, name, type, damage } = input;
  const isLong = side === 'guest' && damage.some((one) => one.how === 'label');
  const asked = isLong ? labelled('a', ['wild', 'test'], damage) : name;
  const plain = encodeMessage(query(asked, type));
  return {
    config: dnsConfig,
    message: hexOf(side === 'guest' ? bend(plain, damage) : plain),
    transport: 'udp',
    random: fixedRandomness,
    upstream: (sent) => [
      { hex: hexOf(replyOctets(sent, side === 'guest' ? { ...input, damage: [] } : input)) },
    ],
    pin: pinEverything,
  };
}

const octet = fc.integer({ min: 0, max: 255 });
const damageArbitrary: fc.Arbitrary<Damage> = fc.oneof(
  fc.nat({ max: 120 }).map((octets): Damage => ({ how: 'cut', octets })),
  fc
    .tuple(fc.nat({ max: 120 }), fc.oneof(octet, fc.constantFrom(0, 63, 64, 128, 191, 192, 255)))
    .map(([at, value]): Damage => ({ how: 'set', at, octet: value })),
  fc
    .tuple(fc.nat({ max: 120 }), fc.oneof(fc.nat({ max: 140 }), fc.constantFrom(12, 0, 11, 0x3fff)))
    .map(([at, target]): Damage => ({ how: 'point', at, target })),
  fc
    .tuple(fc.nat({ max: 3 }), fc.constantFrom(0, 1, 2, 3, 255, 65_535))
    .map(([word, value]): Damage => ({ how: 'count', word, value })),
  fc.constantFrom(64, 65, 100, 127, 128, 191).map((octets): Damage => ({ how: 'label', octets })),
  fc.constantFrom([0], [0xc0], [3, 97, 98, 99]).map((octets): Damage => ({ how: 'tail', octets })),
  fc.constantFrom(5, 8, 15, 17, 32).map((octets): Damage => ({ how: 'resize', octets })),
  fc
    .constantFrom('next record' as const, 'header' as const, 'itself' as const)
    .map((to): Damage => ({ how: 'alias', to })),
  fc.constantFrom(0x8000, 0x0800, 0x2800, 0x7800).map((bits): Damage => ({ how: 'header', bits })),
  fc.array(octet, { minLength: 1, maxLength: 4 }).map((octets): Damage => ({ how: 'append', octets })),
);

/** What a guest's message may get besides silence; null when it is a well-formed query. */
function requiredOfGuest(
  message: Uint8Array,
): { readonly codes: readonly number[]; readonly text: string } | null {
  const flags = message[2] ?? 0;
  if (message.length >= 12 && (flags & 0x80) !== 0) return { codes: [], text: 'silence: QR=1 is no query' };
  // Another opcode may be answered NOTIMP before the rest is read.
  if (message.length >= 12 && (flags & 0x78) !== 0)
    return { codes: [1, 4], text: 'NOTIMP, FORMERR or silence' };
  return readStrictly(message) === null ? { codes: [1], text: 'FORMERR or silence: it is malformed' } : null;
}

export const claim = defineClaim<MalformedCase>({
  id: 'F1.malformed',
  statement:
    'A malformed message gets FORMERR or silence, bounded work, never a pin; what is no query is not taken for one.',
  source: 'RFC 1035 sections 4.1, 4.1.4, RFC 9267',
  blindSpot: 'work is bounded by the deadline of a case here; a unit test counts it, tier kernel measures it',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  examples: () =>
    ['query/malformed/', 'query/count/', 'query/edns/', 'query/tail', 'query/header/'].flatMap((start) =>
      dnsVectors('dns-query', start).map(({ id, input }) => ({
        side: 'guest' as const,
        name: ['example', 'com'],
        type: types.a,
        damage: [{ how: 'vector' as const, id, hex: String(input.message) }],
      })),
    ),
  arbitrary: () =>
    fc.record({
      side: fc.constantFrom('guest' as const, 'upstream' as const),
      name: allowedName,
      type: addressType,
      damage: fc.array(damageArbitrary, { minLength: 1, maxLength: 2 }),
    }),
  control: honestExchangeWorks,
  judge(subject, input) {
    const script = scriptOf(input);
    const session = runSession(subject, script);
    const violation = (observed: string, required: string) => ({
      observed,
      observedRule: session.rule,
      required,
      requiredRule: 'RFC 1035 section 4.1',
    });
    if (input.side === 'guest') {
      const message = Buffer.from(script.message, 'hex');
      const required = requiredOfGuest(message);
      if (required === null) return null;
      if (session.upstreamQuery !== null) return violation('forwarded', required.text);
      const code = session.answer === null ? null : Number.parseInt(session.answer.slice(6, 8), 16) & 15;
      return code === null || required.codes.includes(code)
        ? null
        : violation(`RCODE ${code}`, required.text);
    }
    const sent = session.upstreamQuery;
    if (sent === null || session.pins.length === 0) return null;
    if (readStrictly(Uint8Array.from(replyOctets(sent, input))) !== null) return null;
    return violation(`pins ${session.pins[0]?.address}`, 'no pin');
  },
  notation: ({ side, name, type, damage }) =>
    `${side === 'guest' ? "the guest's query" : 'the reply to'} ${textOfLabels(name)} ${typeName(type)}, ` +
    damage.map((one) => JSON.stringify(one)).join(' then '),
  observe: (subject, input) => describeSession(runSession(subject, scriptOf(input))),
});
