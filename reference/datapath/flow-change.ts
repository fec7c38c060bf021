/**
 * After a change of policy: flows that it admits are handed on, the others are cut.
 * Invariant: from the moment the new rules stand, a flow passes only with their mark; until it is handed on a
 * flow stands still, and loses nothing that its ends would not send again.
 */
import {
  type AddressFamily,
  inetTable,
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { formatAddress } from '../decisions/pin-address/ip-address.ts';
import { compileAdmits, type Place } from '../decisions/ruleset/admits.ts';
import { familiesOf } from '../decisions/ruleset/sandbox-words.ts';
import { cutFlow, flowsOf, handOn } from './flows.ts';
import type { NetlinkSession } from './netlink.ts';
import type { NftSession } from './nf-tables/nft-session.ts';

interface Change {
  readonly pod: PodNetwork;
  readonly network: SandboxNetwork;
  readonly policy: SandboxPolicy;
  readonly old: number;
  readonly now: number;
}

export interface ReplacedFlows {
  readonly handedOn: number;
  readonly cut: number;
}

export function replaceFlows(netfilter: NetlinkSession, nft: NftSession, change: Change): ReplacedFlows {
  const { pod, network, policy, old, now } = change;
  const standing = flowsOf(netfilter, old);
  if (standing.length === 0) return { handedOn: 0, cut: 0 };
  const admits = compileAdmits(pod, network, policy);
  const pins = new Set(familiesOf(network).flatMap(([family]) => pinned(nft, network.tap, family)));
  let [handedOn, cut] = [0, 0];
  for (const one of standing) {
    if (admits(one.flow, (place) => pins.has(keyOf(place))).admitted) {
      handedOn += 1;
      if (old !== now) handOn(netfilter, one, now);
    } else {
      cut += 1;
      cutFlow(netfilter, one);
    }
  }
  return { handedOn, cut };
}

const keyOf = ({ address, protocol, port }: Place) => `${address} ${protocol} ${port}`;

/** What stands in the kernel now. */
function pinned(nft: NftSession, tap: string, family: AddressFamily): string[] {
  return nft.keys('inet', inetTable, pinSetOf(tap, family)).map((key) => {
    const octets = family === 'ipv4' ? 4 : 16;
    const protocol = key[octets] === 17 ? 'udp' : 'tcp';
    return keyOf({
      address: formatAddress(key.subarray(0, octets)),
      protocol,
      port: key.readUInt16BE(octets + 4),
    });
  });
}
