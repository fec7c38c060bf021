/** What stands in a pod before its first sandbox, command by command, but for its address lists. */
import { expect, test } from 'vitest';
import type { PodNetwork } from '#reference/contract/datapath.ts';
import { printed, unfolded } from './printed-samples.ts';
import { closePod, openPod } from './ruleset.ts';

const pod: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: [],
  // Bits 64 to 71 lie within the first one's addresses, and before the IPv4 of the second one's.
  nat64Prefixes: ['2001:db8:64::/48', '64:ff9b:1::/96'],
  pinPrivateCIDRs: [],
  masqueradePorts: [61_000, 65_000],
  maxPins: 256,
};

const expected = `
  add table inet mitos
  delete table inet mitos
  add table netdev mitos
  delete table netdev mitos
  add table inet mitos
  add table netdev mitos

  add set inet mitos never-ipv4 | type ipv4_addr | flags interval
  add element inet mitos never-ipv4 | (its list)
  add set inet mitos unpinnable-ipv4 | type ipv4_addr | flags interval
  add element inet mitos unpinnable-ipv4 | (its list)
  add set inet mitos unicast-ipv4 | type ipv4_addr | flags interval
  add element inet mitos unicast-ipv4 | (its list)
  add set inet mitos guests-ipv4 | type ipv4_addr | size 4096
  add set inet mitos never-ipv6 | type ipv6_addr | flags interval
  add element inet mitos never-ipv6 | (its list)
  add set inet mitos unpinnable-ipv6 | type ipv6_addr | flags interval
  add element inet mitos unpinnable-ipv6 | (its list)
  add set inet mitos unicast-ipv6 | type ipv6_addr | flags interval
  add element inet mitos unicast-ipv6 | (its list)
  add set inet mitos guests-ipv6 | type ipv6_addr | size 4096

  add set inet mitos port-protocols | type inet_proto | size 2
  add element inet mitos port-protocols | tcp, udp
  add set inet mitos errors-icmp | type icmp_type | size 3
  add element inet mitos errors-icmp | destination-unreachable, time-exceeded, parameter-problem
  add set inet mitos errors-icmpv6 | type icmpv6_type | size 4
  add element inet mitos errors-icmpv6 |
    destination-unreachable, packet-too-big, time-exceeded, parameter-problem
  add set netdev mitos arp-operations | type arp_op | size 2
  add element netdev mitos arp-operations | request, reply
  add set netdev mitos next-headers | type inet_proto | size 4
  add element netdev mitos next-headers | tcp, udp, ipv6-icmp, 44

  add chain inet mitos deny/never-ipv6
  add rule inet mitos deny/never-ipv6 | never | ip6 daddr @never-ipv6 | drop
  add rule inet mitos deny/never-ipv6 | nat64-u-octet
    | ip6 daddr 2001:db8:64::/48 | nh,256,8 not 0 | drop
  add rule inet mitos deny/never-ipv6 | never, inside ISATAP | meta nfproto ipv6
    | nh,256,32 & 0xfdffffff 0x5efe
    | nh,288,32 { 0x646464c8, 0x7f000000-0x7fffffff, 0xa83f8110, 0xa9fe0000-0xa9feffff, 0xc00000c0,
      0xe0000000-0xefffffff }
    | drop
  add chain inet mitos deny/unpinnable-ipv6
  add rule inet mitos deny/unpinnable-ipv6 | unpinnable | ip6 daddr @unpinnable-ipv6 | drop
  add rule inet mitos deny/unpinnable-ipv6 | nat64-u-octet
    | ip6 daddr 2001:db8:64::/48 | nh,256,8 not 0 | drop
  add rule inet mitos deny/unpinnable-ipv6 | unpinnable, inside ISATAP | meta nfproto ipv6
    | nh,256,32 & 0xfdffffff 0x5efe
    | nh,288,32 { 0-0xffffff, 0xa000000-0xaffffff, 0x64400000-0x647fffff, 0x7f000000-0x7fffffff, 0xa83f8110,
      0xa9fe0000-0xa9feffff, 0xac100000-0xac1fffff, 0xc0000000-0xc00000ff, 0xc0000200-0xc00002ff,
      0xc01fc400-0xc01fc4ff, 0xc034c100-0xc034c1ff, 0xc0586300-0xc05863ff, 0xc0a80000-0xc0a8ffff,
      0xc0af3000-0xc0af30ff, 0xc6120000-0xc613ffff, 0xc6336400-0xc63364ff, 0xcb007100-0xcb0071ff,
      0xe0000000-0xffffffff }
    | drop

  add map inet mitos dispatch/prerouting-raw | type ifname | map verdict | size 8192
  add chain inet mitos prerouting-raw | type filter | hook prerouting | prio -300 | policy drop
  add element inet mitos dispatch/prerouting-raw | lo : accept, eth0 : accept
  add rule inet mitos prerouting-raw | by interface; one that is not named gets nothing
    | meta iifname vmap @dispatch/prerouting-raw
  add map inet mitos dispatch/prerouting-policy | type ifname | map verdict | size 8192
  add chain inet mitos prerouting-policy | type filter | hook prerouting | prio -150 | policy drop
  add element inet mitos dispatch/prerouting-policy | lo : accept, eth0 : accept
  add rule inet mitos prerouting-policy | by interface; one that is not named gets nothing
    | meta iifname vmap @dispatch/prerouting-policy
  add map inet mitos dispatch/input | type ifname | map verdict | size 8192
  add chain inet mitos input | type filter | hook input | prio 0 | policy drop
  add element inet mitos dispatch/input | lo : accept, eth0 : accept
  add rule inet mitos input | by interface; one that is not named gets nothing
    | meta iifname vmap @dispatch/input
  add map inet mitos dispatch/output | type ifname | map verdict | size 8192
  add chain inet mitos output | type filter | hook output | prio 0 | policy drop
  add element inet mitos dispatch/output | lo : accept, eth0 : accept
  add rule inet mitos output | by interface; one that is not named gets nothing
    | meta oifname vmap @dispatch/output
  add map inet mitos dispatch/postrouting-guard | type ifname | map verdict | size 8192
  add chain inet mitos postrouting-guard | type filter | hook postrouting | prio 300 | policy drop
  add chain inet mitos uplink/guard
  add rule inet mitos uplink/guard | never with a guest source | ip saddr @guests-ipv4 | drop
  add rule inet mitos uplink/guard | never with a guest source | ip6 saddr @guests-ipv6 | drop
  add rule inet mitos uplink/guard | translated, or the pod’s own | accept
  add element inet mitos dispatch/postrouting-guard | lo : accept, eth0 : goto uplink/guard
  add rule inet mitos postrouting-guard | by interface; one that is not named gets nothing
    | meta oifname vmap @dispatch/postrouting-guard

  add map inet mitos dispatch/forward | type ifname . ifname | map verdict | size 8192
  add chain inet mitos forward | type filter | hook forward | prio 0 | policy drop
  add rule inet mitos forward | by both interfaces; tap never talks to tap
    | meta iifname . meta oifname vmap @dispatch/forward

  add map inet mitos dispatch/inbound | type inet_proto . inet_service | map verdict | size 8192
  add chain inet mitos inbound-nat | type nat | hook prerouting | prio -100 | policy accept
  add rule inet mitos inbound-nat | explicit inbound ports only
    | meta iifname eth0 | meta l4proto . th dport vmap @dispatch/inbound
  add chain inet mitos source-nat | type nat | hook postrouting | prio 100 | policy accept
  add rule inet mitos source-nat | guests leave as the pod, from ports of their own
    | meta oifname eth0 | ct mark not 0 | meta l4proto { tcp, udp } | masquerade to 61000-65000
  add rule inet mitos source-nat | guests leave as the pod
    | meta oifname eth0 | ct mark not 0 | masquerade`;

test('a pod: one base chain per hook that only dispatches, and what is not named is always dropped', () => {
  const lists = /^(add element inet mitos (?:never|unpinnable|unicast)-ipv[46] \|) .+$/;
  const commands = printed(openPod(pod)).map((command) => command.replace(lists, '$1 (its list)'));
  expect(commands).toEqual(unfolded(expected));
});

test('the end of a pod always takes both tables', () => {
  expect(printed(closePod())).toEqual(['delete table inet mitos', 'delete table netdev mitos']);
});

test('a pod that no ruleset could hold to is always refused', () => {
  expect(() => openPod({ ...pod, maxPins: 0 })).toThrow('maxPins: not 1 to 65536');
});
