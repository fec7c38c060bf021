/**
 * dns-build: the replies of the corpus, each asked twice, for its pins and for the answer once they are made;
 * then what the claims of F1 have an upstream send.
 */
import { decodeAnswer } from '../../../oracles/dns/answer-oracle.ts';
import type { DnsVector } from '../../../vectors/generate/dns-messages/dns-vector.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { dnsVectorQuestions } from '../dns-vector-questions.ts';
import type { Fields } from '../expectation.ts';
import type { Material } from '../material.ts';

interface Element {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
  readonly ttlSeconds: number;
}

const pinsOf = (output: Fields) =>
  (output.pins as readonly Element[]).map(
    ({ address, protocol, port, ttlSeconds }) => `${address} ${protocol} ${port} ${ttlSeconds}`,
  );

/** Every pin of the vector is made, for as long as was asked. */
function outcomesOf(pins: readonly string[]) {
  const least = new Map<string, number>();
  for (const pin of pins) {
    const [address = '', , , ttl] = pin.split(' ');
    least.set(address, Math.min(least.get(address) ?? Number(ttl), Number(ttl)));
  }
  return [...least].map(([address, remainingSeconds]) => ({ address, pinned: true, remainingSeconds }));
}

function answerSeen(output: Fields): Fields {
  const decoded = typeof output.answer === 'string' ? decodeAnswer(output.answer) : null;
  return {
    pins: pinsOf(output),
    rcode: decoded?.rcode ?? 'unreadable',
    answer: decoded?.addresses.map(({ address, ttl }) => `${address} ${ttl}`) ?? [],
  };
}

function asked({ input, rcode, pins = [], answer = [] }: DnsVector) {
  return [
    { input, fields: { pins }, seen: (output: Fields) => ({ pins: pinsOf(output) }) },
    {
      input: { ...input, outcomes: outcomesOf(pins) },
      fields: { pins, rcode, answer },
      seen: answerSeen,
    },
  ];
}

export const material: Material = {
  continues: false,
  corpus: 'dns-messages',
  vectors: () => dnsVectorQuestions('dns-build', asked),
  generate: generateFromClaims('dns-build'),
};
