/** F1.source: a datagram from elsewhere is not the reply. */
import * as fc from 'fast-check';
import { addressRecord, dnsConfig } from '../../arbitraries/dns.ts';
import { encodeMessage, hexOf, query, replyTo, types } from '../../models/dns-message.ts';
import { upstreamServer } from '../../models/dns-session.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { dnsVectors, honestExchangeWorks } from '../dns-claim.ts';

interface SourceCase {
  readonly address: string;
  readonly port: number;
  /** Added to the ID, modulo 65,536. */
  readonly idOff: number;
  readonly transport: 'udp' | 'tcp';
}

const sent = hexOf(encodeMessage(query(['example', 'com'], types.a, 0x3039)));
const honest = replyTo(sent, [addressRecord(['example', 'com'], types.a, [93, 184, 216, 34])]);

function judgeOn(subject: Subject, { address, port, idOff, transport }: SourceCase) {
  const reply = hexOf(encodeMessage({ ...honest, id: (honest.id + idOff) % 65_536 }));
  return subject.decide(
    'dns-reply',
    dnsConfig,
  )({
    query: sent,
    sentTo: upstreamServer,
    reply,
    from: { address, port },
    transport,
  });
}

export const claim = defineClaim<SourceCase>({
  id: 'F1.source',
  statement:
    'A reply from another address, port or with another ID is never used, and does not end the wait.',
  source: 'RFC 5452 sections 4.3, 9.1',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    kernel: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
  },
  examples: () =>
    [...dnsVectors('dns-reply', 'reply/from/'), ...dnsVectors('dns-reply', 'reply/id/')].map(({ input }) => {
      const from = input.from as Pick<SourceCase, 'address' | 'port'>;
      const idOf = (hex: unknown) => Number.parseInt(String(hex).slice(0, 4), 16);
      const idOff = (idOf(input.reply) - idOf(input.query) + 65_536) % 65_536;
      return { ...from, idOff, transport: 'udp' as const };
    }),
  arbitrary: () => {
    const address = fc.constantFrom('192.0.2.54', '192.0.2.5', '127.0.0.1', '::ffff:192.0.2.53');
    const port = fc.oneof(fc.constantFrom(54, 5353, 53 + 256, 0), fc.integer({ min: 1024, max: 65_535 }));
    const idOff = fc.oneof(fc.constantFrom(1, 255, 256, 65_535), fc.integer({ min: 1, max: 65_535 }));
    const same = {
      address: fc.constant(upstreamServer.address),
      port: fc.constant(53),
      idOff: fc.constant(0),
    };
    const transport = fc.constantFrom('udp' as const, 'tcp' as const);
    return fc.oneof(
      fc.record({ ...same, address, transport }),
      fc.record({ ...same, port, transport }),
      fc.record({ ...same, idOff, transport }),
      fc.record({ address, port, idOff, transport }),
    );
  },
  control: honestExchangeWorks,
  judge(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    if (verdict === 'ignore') return null;
    const required = 'ignore, and keep listening';
    return { observed: verdict, observedRule: rule, required, requiredRule: 'RFC 5452 section 9.1' };
  },
  notation: ({ address, port, idOff, transport }) =>
    `reply from ${address} port ${port}, ID ${idOff === 0 ? 'as asked' : `off by ${idOff}`}, over ${transport}; asked 192.0.2.53 port 53`,
  observe(subject, input) {
    const { verdict, rule } = judgeOn(subject, input);
    return `${verdict}  [${rule}]`;
  },
});
