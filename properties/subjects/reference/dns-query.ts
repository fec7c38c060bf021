/** The reference's dns-query behind the subject protocol: hex in, hex out. */
import { compileDnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { decideQuery } from '#reference/decisions/dns-answer/dns-query.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { dnsQuery } from '../../protocol/dns-query.ts';

export const bind: Bind<typeof dnsQuery> = (config) => {
  const policy = compileDnsPolicy(config);
  return ({ message, transport, random }) => {
    const randomness = { id: random.id, caseBits: Buffer.from(random.caseBits, 'hex') };
    const decided = decideQuery(policy, Buffer.from(message, 'hex'), transport, randomness);
    const { verdict, rule } = decided;
    return verdict === 'drop' ? { verdict, rule } : { verdict, message: hexOf(decided.message), rule };
  };
};

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
