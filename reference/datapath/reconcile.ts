/** What a killed process left in the namespace: taps that a VMM still holds, and flows of their guests. */
import { inetTable, netdevTable, type PodNetwork } from '#reference/contract/datapath.ts';
import { formatAddress } from '../decisions/pin-address/ip-address.ts';
import { families, guestsOf } from '../decisions/ruleset/pod-ruleset.ts';
import { cutFlow, flowsOf } from './flows.ts';
import { deleteLink, findLink } from './link.ts';
import type { NetlinkSession } from './netlink.ts';
import type { NftSession } from './nf-tables/nft-session.ts';

/**
 * Deletes taps that chains of ours name, and flows of guests that our sets name. The tables themselves are
 * replaced by the next transaction. What no table of ours names is nobody's but the pod's, and stays.
 */
export function clearLeftovers(
  route: NetlinkSession,
  netfilter: NetlinkSession,
  nft: NftSession,
  { uplink }: PodNetwork,
  kind: string,
): void {
  const chains = [...nft.chains('netdev', netdevTable), ...nft.chains('inet', inetTable)];
  const taps = new Set(chains.flatMap((name) => /^([^/]+)\/(?:ingress|policy)$/.exec(name)?.[1] ?? []));
  for (const tap of taps) {
    const link = findLink(route, tap);
    if (link !== null && link.kind === kind && link.name !== uplink) deleteLink(route, link.index);
  }
  const guests = new Set(
    families.flatMap((family) =>
      nft.keys('inet', inetTable, guestsOf(family)).map((key) => formatAddress(key)),
    ),
  );
  if (guests.size === 0) return;
  for (const one of flowsOf(netfilter, null)) {
    if (guests.has(one.flow.source) || guests.has(one.flow.answeredBy)) cutFlow(netfilter, one);
  }
}
