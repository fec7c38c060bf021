/** The reference's dns-reply behind the subject protocol. */
import { compileDnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { judgeReply } from '#reference/decisions/dns-answer/dns-reply.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { dnsReply } from '../../protocol/dns-reply.ts';

export const bind: Bind<typeof dnsReply> = (config) => {
  const policy = compileDnsPolicy(config);
  return ({ query, sentTo, reply, from, transport }) => {
    const bytes = { query: Buffer.from(query, 'hex'), reply: Buffer.from(reply, 'hex') };
    const { verdict, rule } = judgeReply(policy, { ...bytes, sentTo, from, transport });
    return { verdict, rule };
  };
};
