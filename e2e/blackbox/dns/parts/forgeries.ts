/**
 * F1.source and F1.question: a reply to something else comes before the true one. Whatever it says is not
 * used, and the wait goes on.
 */
import {
  encodeMessage,
  flags,
  type Labels,
  type ModelMessage,
  type ModelQuestion,
  query,
  replyTo,
  types,
} from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import type { ClaimId } from '../claim-ids.ts';
import { exchangePart } from '../exchange-part.ts';
import { keyOf } from '../names.ts';
import type { Part } from '../part.ts';
import { answerWords } from '../received.ts';
import { addressRecordOf, type Exchange, type Play, type Shot, type Stage } from '../stage.ts';

const forged = { [types.a]: '8.8.4.4', [types.aaaa]: '2a00:1450:4001:802::200e' } as const;
const honest = { [types.a]: '93.184.216.34', [types.aaaa]: '2606:2800:220:1:248:1893:25c8:1946' } as const;
type AskedType = keyof typeof forged;

/** The true reply comes so much later. */
const lateMs = 80;

interface Forgery {
  readonly claim: ClaimId;
  readonly id: string;
  readonly sends: string;
  readonly clause?: string;
  readonly type?: AskedType;
  readonly from?: NonNullable<Shot['from']>;
  /** The forged reply, or its octets. */
  bend(reply: ModelMessage, question: ModelQuestion): ModelMessage | readonly number[];
}

const rename =
  (change: (name: Labels) => Labels) =>
  (reply: ModelMessage, question: ModelQuestion): ModelMessage => ({
    ...reply,
    questions: [{ ...question, name: change(question.name) }],
  });
const swapCase = (text: string) =>
  text.replace(/[a-z]/gi, (letter) => String.fromCharCode(letter.charCodeAt(0) ^ 0x20));
const bits =
  (set: number, clear = 0) =>
  (reply: ModelMessage) => ({ ...reply, flags: (reply.flags & ~clear) | set });
const counts =
  (...off: [number, number, number, number]) =>
  (reply: ModelMessage) => ({ ...reply, countsOff: off });
const cut = (octets: number) => (reply: ModelMessage) => encodeMessage(reply).slice(0, -octets);
const otherName: Labels = ['attacker', 'net'];

function source(): Forgery[] {
  const of = (id: string, sends: string, rest: Omit<Forgery, 'claim' | 'id' | 'sends'>): Forgery => ({
    claim: 'F1.source',
    id: `reply/${id}`,
    sends,
    ...rest,
  });
  return [
    of('from/other-port', 'from another port of the upstream', {
      from: 'other port',
      bend: (reply) => reply,
    }),
    of('from/other-address', 'from another address', { from: 'other address', bend: (reply) => reply }),
    of('id/low-bit', 'the lowest bit of the ID is another', {
      bend: (reply) => ({ ...reply, id: reply.id ^ 1 }),
    }),
    of('id/high-bit', 'the highest bit of the ID is another', {
      bend: (reply) => ({ ...reply, id: reply.id ^ 0x8000 }),
    }),
    of('id/every-bit', 'every bit of the ID is another', {
      bend: (reply) => ({ ...reply, id: reply.id ^ 0xffff }),
    }),
  ];
}

const asForgery = (
  id: string,
  sends: string,
  bend: Forgery['bend'],
  clause?: string,
  type?: AskedType,
): Forgery => ({
  claim: 'F1.question',
  id: `reply/${id}`,
  sends,
  bend,
  ...(clause === undefined ? {} : { clause }),
  ...(type === undefined ? {} : { type }),
});

const otherQuestion = (set: number) => (reply: ModelMessage, asked: ModelQuestion) =>
  bits(set)(rename(() => otherName)(reply, asked));
const oneLetter = rename(([first = '', ...rest]) => [first.replace(/[a-z]/i, swapCase), ...rest]);

/** Header and question. */
function question(): Forgery[] {
  const of = asForgery;
  return [
    of('flags/query', 'QR=0', bits(0, flags.response)),
    ...[1, 2, 4, 5, 15].map((opcode) => of(`flags/opcode-${opcode}`, `opcode ${opcode}`, bits(opcode << 11))),
    of('question/one-letter', 'one letter of the name in the other case (0x20)', oneLetter),
    of(
      'question/every-letter',
      'every letter of the name in the other case (0x20)',
      rename((name) => name.map(swapCase)),
    ),
    of('question/other-name', 'another name', otherQuestion(0)),
    of('question/other-name-truncated', 'another name, TC=1', otherQuestion(flags.truncated)),
    of('question/other-name-servfail', 'another name, SERVFAIL', otherQuestion(2)),
    of('question/other-name-refused', 'another name, REFUSED', otherQuestion(5)),
    of(
      'question/parent',
      'the name without its first label',
      rename((name) => name.slice(1)),
    ),
    of(
      'question/one-label',
      'the name in one label: a dot is no boundary',
      rename((name) => [name.join('.')]),
    ),
    of(
      'question/root',
      'the root',
      rename(() => []),
    ),
    of('question/type', 'another type', (reply, asked) => ({
      ...reply,
      questions: [{ ...asked, type: asked.type === types.a ? types.aaaa : types.a }],
    })),
    of('question/class', 'another class', (reply, asked) => ({
      ...reply,
      questions: [{ ...asked, class: 3 }],
    })),
    of('question/none', 'no question', (reply) => ({ ...reply, questions: [] })),
    of(
      'question/two',
      'two questions',
      (reply, asked) => ({ ...reply, questions: [asked, asked] }),
      'RFC 9619',
    ),
  ];
}

const oddAddress = (octets: number, type: AskedType) => (reply: ModelMessage, asked: ModelQuestion) => {
  const record = addressRecordOf(asked.name, forged[type]);
  const address = 'address' in record.data ? record.data.address : [];
  const resized = Array.from({ length: octets }, (_, index) => address[index] ?? 1);
  return { ...reply, answers: [{ ...record, data: { address: resized } }] };
};

/** Counts, lengths and ends. */
function malformed(): Forgery[] {
  const of = asForgery;
  const wire = 'RFC 1035 section 4.1';
  const a = 'RFC 1035 section 3.4.1';
  return [
    of('count/answers-more', 'ANCOUNT counts one too many', counts(0, 1, 0, 0), wire),
    of('count/answers-fewer', 'ANCOUNT counts one too few', counts(0, -1, 0, 0), wire),
    of('count/authority', 'NSCOUNT counts what is not there', counts(0, 0, 1, 0), wire),
    of('count/additional', 'ARCOUNT counts what is not there', counts(0, 0, 0, 1), wire),
    of('tail', 'an octet after the last record', (reply) => ({ ...reply, trailing: [0] }), wire),
    of('a-of-three-octets', 'an A record of three octets', oddAddress(3, types.a), a),
    of('a-of-five-octets', 'an A record of five octets', oddAddress(5, types.a), a),
    of(
      'aaaa-of-four-octets',
      'an AAAA record of four octets',
      oddAddress(4, types.aaaa),
      'RFC 3596 section 2.2',
      types.aaaa,
    ),
    ...[1, 4, 16, 30].map((octets) => of(`cut/${octets}`, `cut off by ${octets} octets`, cut(octets), wire)),
    of('shorter-than-a-header', 'eleven octets', (reply) => encodeMessage(reply).slice(0, 11), wire),
    of('nothing', 'no octet at all', () => [], wire),
  ];
}

function playOf({ bend, from }: Forgery, name: Labels): Play {
  return (asked) => {
    const type = asked.type as AskedType;
    const address = forged[type];
    if (keyOf(asked.name) !== keyOf(name) || address === undefined) {
      return [{ octets: encodeMessage(replyTo(asked.hex, [])) }];
    }
    const truth = { octets: encodeMessage(replyTo(asked.hex, [addressRecordOf(asked.name, honest[type])])) };
    if (asked.transport === 'tcp') return [truth];
    const reply = replyTo(asked.hex, [addressRecordOf(asked.name, address)]);
    const bent = bend(reply, reply.questions[0] as ModelQuestion);
    const octets = 'questions' in bent ? encodeMessage(bent) : bent;
    return [
      { octets, ...(from === undefined ? {} : { from }) },
      { ...truth, afterMs: lateMs },
    ];
  };
}

function judge({ heard, answer }: Exchange, type: AskedType): Finding {
  if (heard.answer === null) {
    return { outcome: 'falsified', observed: `the wait ended: no answer in ${heard.ms} ms`, absent: true };
  }
  const hex = heard.answer.toString('hex');
  const has = (address: string) => answer?.addresses.some((one) => one.address === address) === true;
  if (has(forged[type])) return { outcome: 'falsified', observed: `used: ${answerWords(answer)}`, hex };
  if (has(honest[type])) return holds(answerWords(answer));
  return { outcome: 'falsified', observed: `the wait ended: ${answerWords(answer)}`, absent: true, hex };
}

const lacksAddress = ({ upstream }: Stage): Finding | null =>
  upstream.hasOtherAddress
    ? null
    : {
        outcome: 'unsupported',
        observed: 'there is no other address to send from',
        give: '--upstream-listen 127.0.0.1:PORT, where 127.0.0.0/8 is whole',
      };

export function forgeryParts(): Part[] {
  return [...source(), ...question(), ...malformed()].map((forgery) => {
    const type = forgery.type ?? types.a;
    return exchangePart({
      claim: forgery.claim,
      id: forgery.id,
      sends: `before the true reply: ${forgery.sends}`,
      never: 'it is used, or ends the wait for the true one',
      clause: forgery.clause ?? 'RFC 5452 section 9.1',
      guest: (name) => query(name, type),
      play: (name) => playOf(forgery, name),
      judge: (exchange) => judge(exchange, type),
      ...(forgery.from === 'other address' ? { unless: lacksAddress } : {}),
    });
  });
}
