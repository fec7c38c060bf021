/** What the published proxy was observed to take for a reply (findings.md F1, "Messages"). */
import { addressRecord } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  flags,
  hexOf,
  type ModelMessage,
  query,
  questionOf,
  replyTo,
  types,
} from '../../models/dns-message.ts';
import { upstreamServer } from '../../models/dns-session.ts';
import { defaultDnsPolicy } from '../../protocol/dns-policy.ts';
import type { dnsReply } from '../../protocol/dns-reply.ts';
import type { Observed } from '../observed.ts';

const sent = hexOf(encodeMessage(query(['example', 'com'], types.a)));
const honest = replyTo(sent, [addressRecord(['example', 'com'], types.a, [93, 184, 216, 34])]);
const question = questionOf(sent);

function row(
  says: string,
  reply: ModelMessage,
  verdict: 'accept' | 'ignore',
  from = upstreamServer,
): Observed<typeof dnsReply> {
  const input = {
    query: sent,
    sentTo: upstreamServer,
    reply: hexOf(encodeMessage(reply)),
    from,
    transport: 'udp' as const,
  };
  return { says, config: defaultDnsPolicy, input, output: { verdict } };
}

export const observed: readonly Observed<typeof dnsReply>[] = [
  row('a reply with QR=0 is used', { ...honest, flags: honest.flags & ~flags.response }, 'accept'),
  row('… another opcode', { ...honest, flags: honest.flags | (4 << 11) }, 'accept'),
  row('… another question', { ...honest, questions: [{ ...question, name: ['attacker', 'net'] }] }, 'accept'),
  row('… another type', { ...honest, questions: [{ ...question, type: types.aaaa }] }, 'accept'),
  row('… another case', { ...honest, questions: [{ ...question, name: ['EXAMPLE', 'com'] }] }, 'accept'),
  row('… with zero questions', { ...honest, questions: [] }, 'accept'),
  row('… with two questions', { ...honest, questions: [question, question] }, 'accept'),
  row('… with lying counts', { ...honest, countsOff: [0, 9, 0, 0] }, 'accept'),
  row('ID is checked', { ...honest, id: honest.id ^ 1 }, 'ignore'),
  row('server address is checked', honest, 'ignore', { address: '192.0.2.54', port: 53 }),
];
