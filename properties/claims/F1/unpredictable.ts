/** F1.unpredictable: whoever does not see the query has to guess all of its randomness. */
import * as fc from 'fast-check';
import { addressType, allowedName, dnsConfig } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  query,
  questionOf,
  textOfLabels,
  typeName,
} from '../../models/dns-message.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { honestExchangeWorks } from '../dns-claim.ts';

interface UnpredictableCase {
  readonly name: Labels;
  readonly type: number;
  readonly guestId: number;
  readonly id: number;
  readonly caseBits: string;
  /** One coin of the 256 that is turned over. */
  readonly coin: number;
}

/** ID and name of the query that goes upstream. */
function upstreamOf(
  subject: Subject,
  { name, type, guestId }: UnpredictableCase,
  id: number,
  caseBits: string,
) {
  const message = hexOf(encodeMessage(query(name, type, guestId)));
  const random = { id, caseBits };
  const decided = subject.decide('dns-query', dnsConfig)({ message, transport: 'udp', random });
  const sent = decided.message ?? '';
  return {
    id: Number.parseInt(sent.slice(0, 4), 16),
    text: questionOf(sent).name.join('.'),
    rule: decided.rule,
  };
}

function turned(caseBits: string, turns: (index: number) => number): string {
  return Buffer.from(Buffer.from(caseBits, 'hex').map((octet, index) => octet ^ turns(index))).toString(
    'hex',
  );
}

const differing = (a: string, b: string) => [...a].filter((letter, index) => letter !== b[index]).length;

function judgeOn(subject: Subject, input: UnpredictableCase) {
  const { id, caseBits, coin } = input;
  const sent = upstreamOf(subject, input, id, caseBits);
  const all = upstreamOf(
    subject,
    input,
    id,
    turned(caseBits, () => 255),
  );
  const one = upstreamOf(
    subject,
    input,
    id,
    turned(caseBits, (index) => (index === coin >> 3 ? 1 << (coin & 7) : 0)),
  );
  const letters = (sent.text.match(/[a-z]/gi) ?? []).length;
  const wrong =
    sent.id !== id
      ? { observed: `ID ${sent.id}`, required: `the drawn ID ${id}` }
      : differing(sent.text, all.text) !== letters
        ? {
            observed: `with every coin turned over, ${differing(sent.text, all.text)} of ${letters} letters change`,
            required: 'every letter follows a coin',
          }
        : differing(sent.text, one.text) > 1
          ? {
              observed: `one coin turns ${differing(sent.text, one.text)} letters over`,
              required: 'a coin of its own for each letter',
            }
          : null;
  return { sent, wrong };
}

export const claim = defineClaim<UnpredictableCase>({
  id: 'F1.unpredictable',
  statement:
    'The ID of an upstream query and the case of each of its letters come from fresh randomness, all of it.',
  source: 'RFC 5452 sections 4.3, 9.2; draft-vixie-dnsext-dns0x20',
  blindSpot: 'that the caller draws well, and a fresh source port for each query: tier kernel',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () =>
    fc.record({
      name: allowedName,
      type: addressType,
      guestId: fc.constantFrom(0, 0x1234, 0xffff),
      id: fc.oneof(fc.constantFrom(0, 1, 0x00ff, 0xff00, 0xffff), fc.integer({ min: 0, max: 0xffff })),
      caseBits: fc.oneof(
        fc.constantFrom('00', 'ff', '5a').map((octet) => octet.repeat(32)),
        fc.uint8Array({ minLength: 32, maxLength: 32 }).map((octets) => Buffer.from(octets).toString('hex')),
      ),
      coin: fc.oneof(
        { weight: 3, arbitrary: fc.nat({ max: 40 }) },
        { weight: 1, arbitrary: fc.nat({ max: 255 }) },
      ),
    }),
  control: honestExchangeWorks,
  judge(subject, input) {
    const { sent, wrong } = judgeOn(subject, input);
    if (wrong === null) return null;
    return { ...wrong, observedRule: sent.rule, requiredRule: 'RFC 5452 section 9.2' };
  },
  notation: ({ name, type, guestId, id, caseBits, coin }) =>
    `${textOfLabels(name)} ${typeName(type)}, the guest's ID ${guestId}; drawn: ID ${id}, case ${caseBits}; coin ${coin}`,
  observe(subject, input) {
    const { sent, wrong } = judgeOn(subject, input);
    return `upstream ID ${sent.id} ${sent.text}; ${wrong === null ? 'all of it drawn' : wrong.observed}  [${sent.rule}]`;
  },
});
