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
import { upstreamServer } from '../../models/dns-session.ts';
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
  | { readonly what: 'no question' }
  | { readonly what: 'two questions' }
  | { readonly what: 'counts'; readonly off: readonly [number, number, number, number] };

interface QuestionCase {
  readonly name: Labels;
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
      return { ...reply, questions: [{ ...question, name: flipLetter(question.name, difference.letter) }] };
    case 'no question':
      return { ...reply, questions: [] };
    case 'two questions':
      return { ...reply, questions: [question, question] };
    case 'counts':
      return { ...reply, countsOff: difference.off };
  }
}

/** Flips the case of the n-th letter, counted around. */
function flipLetter(name: Labels, letter: number): Labels {
  const text = name.join('\0');
  const letters = [...text].flatMap((character, index) => (/[a-z]/i.test(character) ? [index] : []));
  const at = letters[letter % letters.length] ?? 0;
  const flipped = String.fromCharCode(text.charCodeAt(at) ^ 0x20);
  return `${text.slice(0, at)}${flipped}${text.slice(at + 1)}`.split('\0');
}

function judgeOn(subject: Subject, { name, random, difference }: QuestionCase) {
  const message = hexOf(encodeMessage(query(name, types.a)));
  const asked = subject.decide('dns-query', dnsConfig)({ message, transport: 'udp', random });
  const sent = asked.message ?? message;
  const reply = replyTo(sent, [addressRecord(name, types.a, [93, 184, 216, 34])]);
  return subject.decide(
    'dns-reply',
    dnsConfig,
  )({
    query: sent,
    sentTo: upstreamServer,
    reply: hexOf(encodeMessage(bend(reply, difference))),
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

export const claim = defineClaim<QuestionCase>({
  id: 'F1.question',
  statement:
    'A reply that differs in QR, opcode, question, type, case or counts is never used, and does not end the wait.',
  source: 'RFC 5452 section 9.1, RFC 1035 section 4.1; draft-vixie-dnsext-dns0x20',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () => fc.record({ name: allowedName, random: randomness, difference: differences }),
  control: honestExchangeWorks,
  judge(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    if (verdict === 'ignore') return null;
    const required = 'ignore, and keep listening';
    return { observed: verdict, observedRule: rule, required, requiredRule: 'RFC 5452 section 9.1' };
  },
  notation: ({ name, random, difference }) =>
    `asked ${textOfLabels(name)} A, case bits ${random.caseBits.slice(0, 2)}…; the reply differs in ${JSON.stringify(difference)}`,
  observe(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    return `${verdict}  [${rule}]`;
  },
});
