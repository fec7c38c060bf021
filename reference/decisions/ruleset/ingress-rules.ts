/** What passes the tap at all, before anything else sees the frame: untagged, of the guest’s MAC and address. */
import type { GuestAddresses, SandboxNetwork } from '#reference/contract/datapath.ts';
import { neighborRules } from './guest-ipv6.ts';
import { accept, type Command, inSet, match, payload, raw } from './nft-json.ts';
import { add, arpOperations, create, nextHeaders } from './pod-ruleset.ts';
import { ingressChainOf } from './sandbox-words.ts';

// Octets 12 and 13 of the frame as it came: a VLAN tag that was taken off counts as standing there.
const etherType = (value: string) => match(payload('ether', 'type'), value);

/** On the tap itself, before anything else sees a frame: untagged, of the guest’s MAC and address. */
export function ingressCommands(network: SandboxNetwork): Command[] {
  const { tap, guestMac, tapMac, ipv4, ipv6 } = network;
  const chain = ingressChainOf(tap);
  const binds = [...new Set([ipv4.gateway, ipv4.resolver])];
  return [
    create.netdevChain(chain, { type: 'filter', hook: 'ingress', dev: tap, prio: -500, policy: 'drop' }),
    add.netdevRule(
      chain,
      'untagged IPv4 without options from the guest',
      match(payload('ether', 'saddr'), guestMac),
      match(payload('ether', 'daddr'), tapMac),
      etherType('ip'),
      match(raw('nh', 0, 8), 0x45),
      match(payload('ip', 'saddr'), ipv4.guest),
      accept,
    ),
    ...binds.map((asked) => arpRule(chain, network, asked)),
    ...(ipv6 === null ? [] : ingressIpv6(chain, network, ipv6)),
  ];
}

function arpRule(chain: string, { guestMac, ipv4 }: SandboxNetwork, asked: string): Command {
  return add.netdevRule(
    chain,
    'ARP that binds the guest’s pair, for gateway or resolver',
    match(payload('ether', 'saddr'), guestMac),
    etherType('arp'),
    match(payload('arp', 'htype'), 1),
    match(payload('arp', 'ptype'), 'ip'),
    match(payload('arp', 'hlen'), 6),
    match(payload('arp', 'plen'), 4),
    match(payload('arp', 'operation'), inSet(arpOperations)),
    match(payload('arp', 'saddr ether'), guestMac),
    match(payload('arp', 'saddr ip'), ipv4.guest),
    match(payload('arp', 'daddr ip'), asked),
    accept,
  );
}

function ingressIpv6(chain: string, network: SandboxNetwork, ipv6: GuestAddresses): Command[] {
  const { guestMac, tapMac } = network;
  const own = [match(payload('ether', 'saddr'), guestMac), match(payload('ether', 'type'), 'ip6')];
  return [
    add.netdevRule(
      chain,
      'untagged IPv6 from the guest, without extension headers but the fragment header',
      ...own,
      match(payload('ether', 'daddr'), tapMac),
      match(payload('ip6', 'saddr'), ipv6.guest),
      match(payload('ip6', 'nexthdr'), inSet(nextHeaders)),
      accept,
    ),
    ...neighborRules(chain, network, ipv6, own),
  ];
}
