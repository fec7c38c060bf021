/** F1.question: a reply to another question is not the reply. */
import * as fc from 'fast-check';
import { addressRecord, allowedName, dnsConfig, randomness } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  flags,
  hexOf,
  type Labels,
  type ModelMessage,
  query,
  replyTo,
  textOfLabels,
  types,
} from '../../models/dns-message.ts';
import { type DnsConfig, upstreamServer } from '../../models/dns-session.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { honestExchangeWorks } from '../dns-claim.ts';

/** One way in which a reply differs from what was asked. */
type Difference =
  | { readonly what: 'QR=0' }
  | { readonly what: 'opcode'; readonly opcode: number }
  | { readonly what: 'name'; readonly name: Labels }
  | { readonly what: 'type'; readonly type: number }
  | { readonly what: 'class'; readonly class: number }
  | { readonly what: 'case'; readonly letter: number }
  /** Bit 0x20 of an octet that is no letter: folding must leave it alone. */
  | { readonly what: 'octet'; readonly at: number }
  | { readonly what: 'no question' }
  | { readonly what: 'two questions' }
  | { readonly what: 'counts'; readonly off: readonly [number, number, number, number] };

interface QuestionCase {
  readonly name: Labels;
  readonly config: DnsConfig;
  /** TC and RCODE bits that the forgery carries as well: they must not be looked at first. */
  readonly also: number;
  readonly random: { readonly id: number; readonly caseBits: string };
  readonly difference: Difference;
}

function bend(reply: ModelMessage, difference: Difference): ModelMessage {
  const [question] = reply.questions;
  if (question === undefined) return reply;
  switch (difference.what) {
    case 'QR=0':
      return { ...reply, flags: reply.flags & ~flags.response };
    case 'opcode':
      return { ...reply, flags: reply.flags | (difference.opcode << 11) };
    case 'name':
      return { ...reply, questions: [{ ...question, name: difference.name }] };
    case 'type':
      return { ...reply, questions: [{ ...question, type: difference.type }] };
    case 'class':
      return { ...reply, questions: [{ ...question, class: difference.class }] };
    case 'case':
      return {
        ...reply,
        questions: [{ ...question, name: flip(question.name, /[a-z]/i, difference.letter) }],
      };
    case 'octet':
      return { ...reply, questions: [{ ...question, name: flip(question.name, /[-_0-9]/, difference.at) }] };
    case 'no question':
      return { ...reply, questions: [] };
    case 'two questions':
      return { ...reply, questions: [question, question] };
    case 'counts':
      return { ...reply, countsOff: difference.off };
  }
}

/** Turns bit 0x20 of the n-th octet over that matches, counted around. */
function flip(name: Labels, which: RegExp, nth: number): Labels {
  const text = name.join('\0');
  const matching = [...text].flatMap((character, index) => (which.test(character) ? [index] : []));
  const at = matching[nth % matching.length] ?? 0;
  const flipped = String.fromCharCode(text.charCodeAt(at) ^ 0x20);
  return `${text.slice(0, at)}${flipped}${text.slice(at + 1)}`.split('\0');
}

function judgeOn(subject: Subject, { name, config, also, random, difference }: QuestionCase) {
  const message = hexOf(encodeMessage(query(name, types.a)));
  const asked = subject.decide('dns-query', config)({ message, transport: 'udp', random });
  const sent = asked.message ?? message;
  const honest = replyTo(sent, [addressRecord(name, types.a, [93, 184, 216, 34])]);
  const bent = bend(honest, difference);
  return subject.decide(
    'dns-reply',
    config,
  )({
    query: sent,
    sentTo: upstreamServer,
    reply: hexOf(encodeMessage({ ...bent, flags: bent.flags | also })),
    from: upstreamServer,
    transport: 'udp',
  });
}

const differences: fc.Arbitrary<Difference> = fc.oneof(
  fc.constant<Difference>({ what: 'QR=0' }),
  fc.integer({ min: 1, max: 15 }).map((opcode): Difference => ({ what: 'opcode', opcode })),
  fc
    .constantFrom<Labels>(['attacker', 'net'], ['com'], [], ['example.com'], ['xexample', 'com'])
    .map((name): Difference => ({ what: 'name', name })),
  fc.constantFrom(types.aaaa, types.any, 0, 256, 65_535).map((type): Difference => ({ what: 'type', type })),
  fc.constantFrom(0, 3, 255, 257, 32_769).map((ownClass): Difference => ({ what: 'class', class: ownClass })),
  fc.nat({ max: 80 }).map((letter): Difference => ({ what: 'case', letter })),
  fc.nat({ max: 2 }).map((at): Difference => ({ what: 'octet', at })),
  fc.constant<Difference>({ what: 'no question' }),
  fc.constant<Difference>({ what: 'two questions' }),
  fc
    .constantFrom<readonly [number, number, number, number]>(
      [0, 1, 0, 0],
      [0, -1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
      [0, 65_534, 0, 0],
      [1, 0, 0, 0],
      [0, 0, 0, 65_535],
    )
    .map((off): Difference => ({ what: 'counts', off })),
);

/** 0x20 switched off: letters match in either case, nothing else does. */
const caseOff: DnsConfig = { ...dnsConfig, randomCase: false };
const digits: Labels = ['a-1_b', 'wild', 'test'];

/**
 * A name that has what the difference turns over, a configuration that requires it, bits that must not
 * matter.
 */
function questionCase(difference: Difference): fc.Arbitrary<QuestionCase> {
  // What a truncated message counts is not read: its counts may be wrong, and nothing of it is used.
  const bits = difference.what === 'counts' ? [0] : [0, 0, flags.truncated, 2, 3, flags.truncated | 2];
  const configs = difference.what === 'case' ? [dnsConfig] : [dnsConfig, caseOff];
  return fc.record({
    name: difference.what === 'octet' ? fc.constant(digits) : allowedName,
    config: fc.constantFrom(...configs),
    also: fc.constantFrom(...bits),
    random: randomness,
    difference: fc.constant(difference),
  });
}

export const claim = defineClaim<QuestionCase>({
  id: 'F1.question',
  statement:
    'A reply that differs in QR, opcode, question, type, case or counts is never used, and does not end the wait.',
  source: 'RFC 5452 section 9.1, RFC 1035 section 4.1; draft-vixie-dnsext-dns0x20',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  blindSpot: 'the counts of a truncated reply: nothing of it is used, it is asked for again over TCP',
  arbitrary: () => differences.chain(questionCase),
  control: honestExchangeWorks,
  judge(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    if (verdict === 'ignore') return null;
    const required = 'ignore, and keep listening';
    return { observed: verdict, observedRule: rule, required, requiredRule: 'RFC 5452 section 9.1' };
  },
  notation: ({ name, config, also, random, difference }) =>
    `asked ${textOfLabels(name)} A, ` +
    `${config.randomCase ? `case bits ${random.caseBits.slice(0, 2)}…` : '0x20 off'}; ` +
    `the reply differs in ${JSON.stringify(difference)}` +
    `${(also & flags.truncated) !== 0 ? ', TC=1' : ''}${(also & 15) !== 0 ? `, RCODE ${also & 15}` : ''}`,
  observe(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    return `${verdict}  [${rule}]`;
  },
});
