/** The life of a sandbox, command by command: its beginning, a change of its policy, its two ends. */
import { expect, test } from 'vitest';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { flowMark } from './flow-mark.ts';
import { solicitedNode } from './guest-ipv6.ts';
import type { Transaction } from './nft-json.ts';
import { printed, unfolded } from './printed-samples.ts';
import { changePolicy, closeSandbox, cutSandbox, openSandbox } from './ruleset.ts';

const pod: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  // 102 ports: three quarters are 76.5, so 76 flows.
  masqueradePorts: [61_000, 61_101],
  maxPins: 256,
};

/** Both families; the resolver of IPv4 is another address than the gateway. */
const network: SandboxNetwork = {
  tap: 'tap-a',
  tapMac: '02:00:00:00:00:01',
  guestMac: '02:00:00:00:00:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '169.254.20.10' },
  ipv6: { guest: 'fd00:5::2', gateway: 'fd00:5::1', resolver: 'fd00:5::1' },
};
const wide: SandboxPolicy = {
  egress: 'allow',
  allow: ['10.0.0.0/8:443', 'udp://192.168.4.0/24:53', '[fd00:1::/32]:443', 'api.example.com:443'],
  inbound: [
    { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '10.0.0.0/8' },
    { protocol: 'udp', podPort: 5_060, guestPort: 5_061, from: '0.0.0.0/0' },
    { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '192.0.2.0/24' },
  ],
};
const plain: SandboxNetwork = {
  ...network,
  tap: 'tap-b',
  ipv4: { guest: '10.200.0.6', gateway: '10.200.0.5', resolver: '10.200.0.5' },
  ipv6: null,
};
const narrow: SandboxPolicy = { egress: 'deny', allow: [], inbound: [] };

/** With the mark of a policy as a word: it is a digest, of which flow-mark-rules.test.ts knows the value. */
function withMark(transaction: Transaction, mark: number): string[] {
  return printed(transaction).map((command) => command.replaceAll(`0x${mark.toString(16)}`, '(mark)'));
}

// Of the gateway, which is the resolver too; sent to it, and to its solicited-node address.
const [toGateway, toItsNode] = ['fd00:5::1', 'ff02::1:ff00:1'].map(
  (sentTo) =>
    `ip6 saddr fd00:5::2 | ip6 daddr ${sentTo} | ip6 length 32 | ip6 nexthdr ipv6-icmp | ip6 hoplimit 255
      | icmpv6 type nd-neighbor-solicit | icmpv6 code 0
      | th,64,128 0xfd000005000000000000000000000001 | th,192,64 0x0101020000000002 | accept`,
);

const setsAndChains = `
  create set inet mitos tap-a/pins-ipv4 | type ipv4_addr . inet_proto . inet_service
    | flags timeout | size 256
  create set inet mitos tap-a/cidrs-ipv4 | type ipv4_addr . inet_proto . inet_service
    | flags interval | size 1024
  create set inet mitos tap-a/pins-ipv6 | type ipv6_addr . inet_proto . inet_service
    | flags timeout | size 256
  create set inet mitos tap-a/cidrs-ipv6 | type ipv6_addr . inet_proto . inet_service
    | flags interval | size 1024
  create chain inet mitos tap-a/source
  create chain inet mitos tap-a/policy
  create chain inet mitos tap-a/input
  create chain inet mitos tap-a/leave
  create chain inet mitos tap-a/arrive
  create chain inet mitos tap-a/answer
  create chain inet mitos tap-a/inbound
  create chain inet mitos tap-a/flows

  add rule inet mitos tap-a/flows | too many questions at once
    | ip daddr 169.254.20.10 | rate over 1000 a second, burst 4000 | drop
  add rule inet mitos tap-a/flows | too many connections to the resolver
    | ip daddr 169.254.20.10 | meta l4proto tcp | flows over 256 | drop
  add rule inet mitos tap-a/flows | too many flows of one sandbox
    | ip daddr not 169.254.20.10 | flows over 76 | drop
  add rule inet mitos tap-a/flows | too many questions at once
    | ip6 daddr fd00:5::1 | rate over 1000 a second, burst 4000 | drop
  add rule inet mitos tap-a/flows | too many connections to the resolver
    | ip6 daddr fd00:5::1 | meta l4proto tcp | flows over 256 | drop
  add rule inet mitos tap-a/flows | too many flows of one sandbox
    | ip6 daddr not fd00:5::1 | flows over 76 | drop`;

const widePolicy = `
  add element inet mitos tap-a/cidrs-ipv4 |
    10.0.0.0-10.255.255.255 . tcp . 443, 192.168.4.0-192.168.4.255 . udp . 53
  add element inet mitos tap-a/cidrs-ipv6 | fd00:1::-fd00:1:ffff:ffff:ffff:ffff:ffff:ffff . tcp . 443

  add rule inet mitos tap-a/source | the guest’s own address, to a unicast destination
    | ip saddr 10.200.0.2 | ip daddr @unicast-ipv4 | accept
  add rule inet mitos tap-a/source | the guest’s own address, to a unicast destination
    | ip6 saddr fd00:5::2 | ip6 daddr @unicast-ipv6 | accept
  add rule inet mitos tap-a/source | a neighbour solicitation that binds the guest’s pair | ${toGateway}
  add rule inet mitos tap-a/source | a neighbour solicitation that binds the guest’s pair | ${toItsNode}
  add rule inet mitos tap-a/source | any other source | drop

  add rule inet mitos tap-a/policy | a neighbour solicitation that binds the guest’s pair | ${toGateway}
  add rule inet mitos tap-a/policy | a neighbour solicitation that binds the guest’s pair | ${toItsNode}
  add rule inet mitos tap-a/policy | no flow | ct state in invalid | drop
  add rule inet mitos tap-a/policy | a flow that this policy admitted
    | ct state in established | ct mark (mark) | accept
  add rule inet mitos tap-a/policy | a TCP flow begins with SYN
    | ct state in new | tcp flags & fin+syn+rst+ack not syn | drop
  add rule inet mitos tap-a/policy | how many begin | ct state in new | jump tap-a/flows
  add rule inet mitos tap-a/policy | the resolver | ip daddr 169.254.20.10
    | fib daddr type local | meta l4proto @port-protocols | th dport 53 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | the resolver | ip6 daddr fd00:5::1
    | fib daddr type local | meta l4proto @port-protocols | th dport 53 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | any other local address | fib daddr type not unicast | drop
  add rule inet mitos tap-a/policy | never | ip daddr @never-ipv4 | drop
  add rule inet mitos tap-a/policy | an allowed CIDR
    | ip daddr . meta l4proto . th dport @tap-a/cidrs-ipv4 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | private | ip daddr @unpinnable-ipv4 | drop
  add rule inet mitos tap-a/policy | a pinned address
    | ip daddr . meta l4proto . th dport @tap-a/pins-ipv4 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | never | meta nfproto ipv6 | jump deny/never-ipv6
  add rule inet mitos tap-a/policy | an allowed CIDR
    | ip6 daddr . meta l4proto . th dport @tap-a/cidrs-ipv6 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | private | meta nfproto ipv6 | jump deny/unpinnable-ipv6
  add rule inet mitos tap-a/policy | a pinned address
    | ip6 daddr . meta l4proto . th dport @tap-a/pins-ipv6 | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | everything else
    | meta l4proto @port-protocols | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | echo | icmp type echo-request | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | echo | icmpv6 type echo-request | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/policy | default egress is deny | drop

  add rule inet mitos tap-a/input | a neighbour solicitation that binds the guest’s pair | ${toGateway}
  add rule inet mitos tap-a/input | a neighbour solicitation that binds the guest’s pair | ${toItsNode}
  add rule inet mitos tap-a/input | the resolver on port 53 | ip daddr 169.254.20.10
    | meta l4proto @port-protocols | th dport 53 | ct mark (mark) | accept
  add rule inet mitos tap-a/input | the resolver on port 53 | ip6 daddr fd00:5::1
    | meta l4proto @port-protocols | th dport 53 | ct mark (mark) | accept
  add rule inet mitos tap-a/input | any other listener of the pod | drop

  add rule inet mitos tap-a/leave | an admitted flow | ct mark (mark) | accept
  add rule inet mitos tap-a/leave | any other | drop
  add rule inet mitos tap-a/arrive | a reply to an admitted flow
    | ct state in established | ct direction reply | ct mark (mark) | accept
  add rule inet mitos tap-a/arrive | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmp type @errors-icmp | accept
  add rule inet mitos tap-a/arrive | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmpv6 type @errors-icmpv6 | accept
  add rule inet mitos tap-a/inbound | an inbound port
    | tcp dport 8080 | fib daddr type local | ip saddr 10.0.0.0/8 | dnat ip to 10.200.0.2 port 80
  add rule inet mitos tap-a/arrive | an inbound port | ct status in dnat | ct direction original
    | ip daddr 10.200.0.2 | tcp dport 80 | ct original proto-dst 8080 | ip saddr 10.0.0.0/8
    | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/inbound | an inbound port
    | udp dport 5060 | fib daddr type local | ip saddr 0.0.0.0/0 | dnat ip to 10.200.0.2 port 5061
  add rule inet mitos tap-a/arrive | an inbound port | ct status in dnat | ct direction original
    | ip daddr 10.200.0.2 | udp dport 5061 | ct original proto-dst 5060 | ip saddr 0.0.0.0/0
    | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/inbound | an inbound port
    | tcp dport 8080 | fib daddr type local | ip saddr 192.0.2.0/24 | dnat ip to 10.200.0.2 port 80
  add rule inet mitos tap-a/arrive | an inbound port | ct status in dnat | ct direction original
    | ip daddr 10.200.0.2 | tcp dport 80 | ct original proto-dst 8080 | ip saddr 192.0.2.0/24
    | ct mark becomes (mark) | accept
  add rule inet mitos tap-a/arrive | any other | drop

  add rule inet mitos tap-a/answer | a reply to an admitted flow
    | ct state in established | ct direction reply | ct mark (mark) | accept
  add rule inet mitos tap-a/answer | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmp type @errors-icmp | accept
  add rule inet mitos tap-a/answer | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmpv6 type @errors-icmpv6 | accept
  add rule inet mitos tap-a/answer | a neighbour advertisement to the guest
    | ip6 saddr fd00:5::1 | ip6 daddr fd00:5::2 | ip6 hoplimit 255 | icmpv6 type nd-neighbor-advert | accept
  add rule inet mitos tap-a/answer | any other | drop`;

const own = 'ether saddr 02:00:00:00:00:02 | ether type ip6';
const ingress = `
  create chain netdev mitos tap-a/ingress | type filter | hook ingress | dev tap-a | prio -500 | policy drop
  add rule netdev mitos tap-a/ingress | untagged IPv4 without options from the guest
    | ether saddr 02:00:00:00:00:02 | ether daddr 02:00:00:00:00:01 | ether type ip
    | nh,0,8 69 | ip saddr 10.200.0.2 | accept
  add rule netdev mitos tap-a/ingress | ARP that binds the guest’s pair, for gateway or resolver
    | ether saddr 02:00:00:00:00:02 | ether type arp | arp htype 1 | arp ptype ip | arp hlen 6 | arp plen 4
    | arp operation @arp-operations | arp saddr ether 02:00:00:00:00:02 | arp saddr ip 10.200.0.2
    | arp daddr ip 10.200.0.1 | accept
  add rule netdev mitos tap-a/ingress | ARP that binds the guest’s pair, for gateway or resolver
    | ether saddr 02:00:00:00:00:02 | ether type arp | arp htype 1 | arp ptype ip | arp hlen 6 | arp plen 4
    | arp operation @arp-operations | arp saddr ether 02:00:00:00:00:02 | arp saddr ip 10.200.0.2
    | arp daddr ip 169.254.20.10 | accept
  add rule netdev mitos tap-a/ingress
    | untagged IPv6 from the guest, without extension headers but the fragment header
    | ${own} | ether daddr 02:00:00:00:00:01
    | ip6 saddr fd00:5::2 | ip6 nexthdr @next-headers | accept
  add rule netdev mitos tap-a/ingress | a neighbour solicitation that binds the guest’s pair
    | ${own} | ${toGateway}
  add rule netdev mitos tap-a/ingress | a neighbour solicitation that binds the guest’s pair
    | ${own} | ${toItsNode}`;

const dispatched = [
  'element inet mitos dispatch/prerouting-raw | tap-a : goto tap-a/source',
  'element inet mitos dispatch/prerouting-policy | tap-a : goto tap-a/policy',
  'element inet mitos dispatch/input | tap-a : goto tap-a/input',
  'element inet mitos dispatch/output | tap-a : goto tap-a/answer',
  'element inet mitos dispatch/postrouting-guard | tap-a : accept',
  'element inet mitos dispatch/forward | tap-a . eth0 : goto tap-a/leave',
  'element inet mitos dispatch/forward | eth0 . tap-a : goto tap-a/arrive',
];
// One element for the two that share a port of the pod.
const inboundPorts = [
  'element inet mitos dispatch/inbound | tcp . 8080 : jump tap-a/inbound',
  'element inet mitos dispatch/inbound | udp . 5060 : jump tap-a/inbound',
];
const guests = ['element inet mitos guests-ipv4 | 10.200.0.2', 'element inet mitos guests-ipv6 | fd00:5::2'];

test('a sandbox of both families: all its rules always stand before its tap is dispatched to', () => {
  const mark = flowMark(pod, network, wide);
  expect(withMark(openSandbox(pod, network, wide), mark)).toEqual([
    ...unfolded(setsAndChains),
    ...unfolded(widePolicy),
    ...unfolded(ingress),
    ...[...guests, ...dispatched, ...inboundPorts].map((element) => `add ${element}`),
  ]);
});

const plainPolicy = `
  add rule inet mitos tap-b/source | the guest’s own address, to a unicast destination
    | ip saddr 10.200.0.6 | ip daddr @unicast-ipv4 | accept
  add rule inet mitos tap-b/source | any other source | drop
  add rule inet mitos tap-b/policy | no flow | ct state in invalid | drop
  add rule inet mitos tap-b/policy | a flow that this policy admitted
    | ct state in established | ct mark (mark) | accept
  add rule inet mitos tap-b/policy | a TCP flow begins with SYN
    | ct state in new | tcp flags & fin+syn+rst+ack not syn | drop
  add rule inet mitos tap-b/policy | how many begin | ct state in new | jump tap-b/flows
  add rule inet mitos tap-b/policy | the resolver | ip daddr 10.200.0.5
    | fib daddr type local | meta l4proto @port-protocols | th dport 53 | ct mark becomes (mark) | accept
  add rule inet mitos tap-b/policy | any other local address | fib daddr type not unicast | drop
  add rule inet mitos tap-b/policy | never | ip daddr @never-ipv4 | drop
  add rule inet mitos tap-b/policy | an allowed CIDR
    | ip daddr . meta l4proto . th dport @tap-b/cidrs-ipv4 | ct mark becomes (mark) | accept
  add rule inet mitos tap-b/policy | private | ip daddr @unpinnable-ipv4 | drop
  add rule inet mitos tap-b/policy | a pinned address
    | ip daddr . meta l4proto . th dport @tap-b/pins-ipv4 | ct mark becomes (mark) | accept
  add rule inet mitos tap-b/policy | default egress is deny | drop
  add rule inet mitos tap-b/input | the resolver on port 53 | ip daddr 10.200.0.5
    | meta l4proto @port-protocols | th dport 53 | ct mark (mark) | accept
  add rule inet mitos tap-b/input | any other listener of the pod | drop
  add rule inet mitos tap-b/leave | an admitted flow | ct mark (mark) | accept
  add rule inet mitos tap-b/leave | any other | drop
  add rule inet mitos tap-b/arrive | a reply to an admitted flow
    | ct state in established | ct direction reply | ct mark (mark) | accept
  add rule inet mitos tap-b/arrive | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmp type @errors-icmp | accept
  add rule inet mitos tap-b/arrive | any other | drop
  add rule inet mitos tap-b/answer | a reply to an admitted flow
    | ct state in established | ct direction reply | ct mark (mark) | accept
  add rule inet mitos tap-b/answer | an ICMP error about an admitted flow
    | ct state in related | ct mark (mark) | icmp type @errors-icmp | accept
  add rule inet mitos tap-b/answer | any other | drop`;

test('a sandbox without IPv6 that nothing is allowed: never a rule of IPv6, only the resolver', () => {
  const commands = withMark(openSandbox(pod, plain, narrow), flowMark(pod, plain, narrow));
  const policy = unfolded(plainPolicy);
  const at = commands.indexOf(policy[0] ?? '');
  expect(commands.slice(at, at + policy.length)).toEqual(policy);
  expect(commands.filter((command) => /ip6|ipv6|^add element inet mitos tap-b/.test(command))).toEqual([]);
  expect(commands.filter((command) => command.includes('tap-b/ingress |'))).toHaveLength(3);
});

test('a change of policy: ports, chains and CIDRs are made anew; pins and counts never', () => {
  const flushed = ['source', 'policy', 'input', 'leave', 'arrive', 'answer', 'inbound'];
  const change = changePolicy(pod, plain, { ...wide, inbound: wide.inbound.slice(0, 1) }, narrow);
  expect(withMark(change, flowMark(pod, plain, narrow))).toEqual([
    'delete element inet mitos dispatch/inbound | tcp . 8080 : jump tap-b/inbound',
    ...flushed.map((chain) => `flush chain inet mitos tap-b/${chain}`),
    'flush set inet mitos tap-b/cidrs-ipv4',
    ...unfolded(plainPolicy),
  ]);
  expect(withMark(changePolicy(pod, network, narrow, wide), flowMark(pod, network, wide))).toEqual([
    ...flushed.map((chain) => `flush chain inet mitos tap-a/${chain}`),
    'flush set inet mitos tap-a/cidrs-ipv4',
    'flush set inet mitos tap-a/cidrs-ipv6',
    ...unfolded(widePolicy),
    ...inboundPorts.map((element) => `add ${element}`),
  ]);
});

test('the first end of a sandbox always takes what names its tap, and empties its ingress chain', () => {
  const cut = [...dispatched, ...inboundPorts].map((element) => `delete ${element}`);
  expect(printed(cutSandbox(pod, network, wide))).toEqual([...cut, 'flush chain netdev mitos tap-a/ingress']);
  expect(printed(cutSandbox(pod, network, wide, { isChainThere: false }))).toEqual(cut);
});

test('the second end always takes the rest, the ingress chain only if it is there', () => {
  const chains = ['source', 'policy', 'input', 'leave', 'arrive', 'answer', 'inbound', 'flows'];
  const closed = [
    ...guests.map((element) => `delete ${element}`),
    ...chains.map((chain) => `flush chain inet mitos tap-a/${chain}`),
    ...chains.map((chain) => `delete chain inet mitos tap-a/${chain}`),
    'delete set inet mitos tap-a/pins-ipv4',
    'delete set inet mitos tap-a/cidrs-ipv4',
    'delete set inet mitos tap-a/pins-ipv6',
    'delete set inet mitos tap-a/cidrs-ipv6',
  ];
  expect(printed(closeSandbox(network))).toEqual([...closed, 'delete chain netdev mitos tap-a/ingress']);
  expect(printed(closeSandbox(network, { isChainThere: false }))).toEqual(closed);
});

test('a solicited-node address always ends in the last three octets of what is asked for', () => {
  expect(solicitedNode('fd00:5::aabb:ccdd')).toBe('ff02::1:ffbb:ccdd');
  expect(solicitedNode('fd00:5:1::9:0:7')).toBe('ff02::1:ff00:7');
});

test('a network or policy that no ruleset could hold to is always refused before anything is made', () => {
  const entry = { ...narrow, allow: ['10.0.0.0/8'] };
  const what = 'allow: "10.0.0.0/8": it has no port from 1 to 65535';
  expect(() => openSandbox(pod, { ...plain, tap: 'lo' }, narrow)).toThrow(/^tap: /);
  expect(() => openSandbox(pod, plain, { ...entry, inbound: [] })).toThrow(what);
  const twice = { protocol: 'tcp', podPort: 1, guestPort: 1, from: '0.0.0.0/0' } as const;
  expect(() => openSandbox(pod, plain, { ...narrow, inbound: [twice, twice] })).toThrow(/^inbound\[1\]: /);
  expect(() => changePolicy(pod, plain, narrow, { ...narrow, inbound: [twice, twice] })).toThrow(
    /^inbound\[1\]: /,
  );
});
