/** What the published proxy was observed to do with a guest's message (findings.md F1, "Messages"). */
import { encodeMessage, hexOf, type Labels, query, types } from '../../models/dns-message.ts';
import { defaultDnsPolicy } from '../../protocol/dns-policy.ts';
import type { dnsQuery } from '../../protocol/dns-query.ts';
import type { Observed } from '../observed.ts';

const random = { id: 4242, caseBits: '00'.repeat(32) };
const asks = (name: Labels, type: number) => hexOf(encodeMessage(query(name, type)));

function row(
  says: string,
  message: string,
  output: Observed<typeof dnsQuery>['output'],
): Observed<typeof dnsQuery> {
  return { says, config: defaultDnsPolicy, input: { message, transport: 'udp', random }, output };
}

const allowed = asks(['example', 'com'], types.a);

export const observed: readonly Observed<typeof dnsQuery>[] = [
  row('types other than A/AAAA are REFUSED', asks(['example', 'com'], types.https), { verdict: 'answer' }),
  row('a name that is not allowlisted is REFUSED', asks(['attacker', 'net'], types.a), { verdict: 'answer' }),
  row("the guest's message is forwarded, as it came", allowed, { verdict: 'forward', message: allowed }),
  row('the wire labels ["foo.x","test"] match `*.x.test`', asks(['foo.wild', 'test'], types.a), {
    verdict: 'forward',
  }),
];
