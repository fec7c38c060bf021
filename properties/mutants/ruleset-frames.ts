/** One-line mistakes in what the reference asks of a frame before anything else, each killed by a claim of F4. */
import type { Mutant } from './mutant.ts';

const folder = 'reference/decisions/ruleset/';
const ingress = `${folder}ingress-rules.ts`;
const discovery = `${folder}guest-ipv6.ts`;
const pod = `${folder}pod-ruleset.ts`;

export const mutants: readonly Mutant[] = [
  {
    id: 'ingress-accepts',
    mistake: 'the chain on the tap has policy accept',
    file: ingress,
    find: "dev: tap, prio: -500, policy: 'drop'",
    replace: "dev: tap, prio: -500, policy: 'accept'",
    killedBy: 'F4.source',
  },
  {
    id: 'ingress-any-mac',
    mistake: 'on the tap any MAC may carry the guest’s IPv4 address',
    file: ingress,
    find: "      match(payload('ether', 'saddr'), guestMac),",
    replace: '',
    killedBy: 'F4.source',
  },
  {
    id: 'ingress-any-source',
    mistake: 'on the tap any IPv4 source passes',
    file: ingress,
    find: "match(payload('ip', 'saddr'), ipv4.guest),",
    replace: '',
    killedBy: 'F4.source',
  },
  {
    id: 'ingress-any-source-ipv6',
    mistake: 'on the tap any IPv6 source passes, so that forged parts of datagrams are kept',
    file: ingress,
    find: "match(payload('ip6', 'saddr'), ipv6.guest),",
    replace: '',
    killedBy: 'F4.source',
  },
  {
    id: 'ip-options-pass',
    mistake: 'IPv4 with options passes the tap',
    file: ingress,
    find: "match(raw('nh', 0, 8), 0x45),",
    replace: '',
    killedBy: 'F4.source',
  },
  {
    id: 'arp-any-sender-mac',
    mistake: 'ARP may say that the guest’s address is at another MAC',
    file: ingress,
    find: "match(payload('arp', 'saddr ether'), guestMac),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'arp-any-sender',
    mistake: 'ARP may claim any address, the gateway’s too',
    file: ingress,
    find: "match(payload('arp', 'saddr ip'), ipv4.guest),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'arp-any-target',
    mistake: 'ARP may ask for any address of the pod',
    file: ingress,
    find: "match(payload('arp', 'daddr ip'), asked),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'arp-any-operation',
    mistake: 'other operations than request and reply pass',
    file: ingress,
    find: "match(payload('arp', 'operation'), inSet(arpOperations)),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'solicitation-any-mac',
    mistake: 'a solicitation may bind the guest’s address to another MAC',
    file: discovery,
    find: "match(raw('th', 192, 64), `0x0101${guestMac.replaceAll(':', '')}`),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'solicitation-any-type',
    mistake: 'every neighbour discovery message passes as a solicitation does',
    file: discovery,
    find: "match(payload('icmpv6', 'type'), 'nd-neighbor-solicit'),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'solicitation-from-afar',
    mistake: 'the hop limit of a solicitation is not looked at (RFC 4861 section 7.1.1)',
    file: discovery,
    find: "        match(payload('ip6', 'hoplimit'), 255),",
    replace: '',
    killedBy: 'F4.state',
  },
  {
    id: 'hop-by-hop-passes',
    mistake: 'IPv6 with a hop-by-hop header passes the tap',
    file: pod,
    find: "['tcp', 'udp', 'ipv6-icmp', 44]",
    replace: "['tcp', 'udp', 'ipv6-icmp', 44, 0]",
    killedBy: 'F4.source',
  },
];
