/**
 * findings.md F1, "Messages": "a reply with QR=0, another opcode, question, type or case, with zero or two
 * questions or lying counts is used; ID and server address are checked".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { dnsReply } from '../../protocol/dns-reply.ts';

export const bind: Bind<typeof dnsReply> = () => {
  return ({ query, sentTo, reply, from }) => {
    if (from.address !== sentTo.address || from.port !== sentTo.port) {
      return { verdict: 'ignore', rule: 'another server' };
    }
    if (reply.length < 24) return { verdict: 'ignore', rule: 'shorter than a header' };
    if (reply.slice(0, 4) !== query.slice(0, 4)) return { verdict: 'ignore', rule: 'another ID' };
    return { verdict: 'accept', rule: 'ID and server match' };
  };
};
