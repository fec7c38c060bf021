/** Random matches of one rule, in nft's own words. */
import type { Dice } from './dice.ts';
import {
  ipv4Destinations,
  ipv4Prefixes,
  ipv4Sources,
  ipv6Destinations,
  ipv6Prefixes,
  ipv6Sources,
  macs,
  macText,
  marks,
  otherProtocols,
  ports,
} from './pools.ts';

export interface Scope {
  readonly family: 'inet' | 'ip' | 'ip6' | 'netdev';
  /** `any`: of a chain that several hooks jump to. */
  readonly point: 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'nat' | 'any';
  readonly devices: { readonly tap: string; readonly uplink: string };
  readonly tracks: boolean;
  /** Prefix of the names of the table's sets. */
  readonly sets: string;
}

type Maker = (dice: Dice, scope: Scope) => string;

export function randomMatch(dice: Dice, scope: Scope): string {
  const makers: [number, Maker][] = [
    [30, transportMatch],
    [10, metaMatch],
    [4, rawMatch],
  ];
  if (scope.family !== 'ip6') makers.push([30, ipv4Match]);
  if (scope.family !== 'ip') makers.push([12, ipv6Match]);
  if (scope.tracks && scope.point !== 'ingress') makers.push([16, ctMatch]);
  if (scope.point === 'ingress') makers.push([14, linkMatch]);
  if (scope.family !== 'ip6' && scope.point !== 'ingress') makers.push([5, fibMatch]);
  return dice.weighed(makers.map(([weight, make]) => [weight, () => make(dice, scope)] as const));
}

const not = (dice: Dice) => (dice.chance(25) ? '!= ' : '');

function ipv4Match(dice: Dice, { sets }: Scope): string {
  return dice.pick<() => string>([
    () => `ip saddr ${not(dice)}${dice.pick(ipv4Sources)}`,
    () => `ip daddr ${not(dice)}${dice.pick(ipv4Destinations)}`,
    () => `ip saddr ${not(dice)}${dice.pick(ipv4Prefixes)}`,
    () => `ip daddr ${not(dice)}${dice.pick(ipv4Prefixes)}`,
    () => `ip daddr ${not(dice)}@${sets}_a`,
    () => `ip saddr ${not(dice)}@${sets}_t`,
    () => `ip daddr . meta l4proto . th dport ${not(dice)}@${sets}_c`,
    () => `ip daddr . tcp dport ${not(dice)}@${sets}_r`,
    () => `ip daddr ${not(dice)}{ ${dice.some(ipv4Destinations.slice(3), 4).join(', ')} }`,
    () => `ip saddr ${not(dice)}10.0.0.0-10.1.0.${dice.between(0, 255)}`,
    () => `ip ttl ${dice.pick(['<', '>', '<=', '>=', '=='])} ${dice.pick([1, 2, 63, 64, 254])}`,
    () => `ip protocol ${not(dice)}${dice.pick(['tcp', 'udp', 'icmp'])}`,
    () => `ip length ${dice.pick(['<', '>'])} ${dice.between(20, 80)}`,
    () => `ip dscp ${not(dice)}${dice.pick([0, 8, 46])}`,
    () => `ip frag-off & 0x1fff ${dice.pick(['==', '!='])} 0`,
    () => `ip frag-off & 0x2000 ${dice.pick(['==', '!='])} 0`,
    () => `ip saddr & 255.0.0.255 == 10.0.0.${dice.between(1, 3)}`,
    () => `ip hdrlength ${dice.pick(['==', '!=', '>'])} 5`,
    () => `icmp type ${not(dice)}${dice.pick(['echo-request', 'echo-reply', 'destination-unreachable'])}`,
    () => `icmp code ${dice.between(0, 3)}`,
    () => `ip version ${not(dice)}4`,
    () => `ip id ${dice.pick(['<', '>'])} 30000`,
  ])();
}

function ipv6Match(dice: Dice, _scope: Scope): string {
  return dice.pick<() => string>([
    () => `ip6 saddr ${not(dice)}${dice.pick(ipv6Sources)}`,
    () => `ip6 daddr ${not(dice)}${dice.pick(ipv6Destinations)}`,
    () => `ip6 saddr ${not(dice)}${dice.pick(ipv6Prefixes)}`,
    () => `ip6 daddr ${not(dice)}${dice.pick(ipv6Prefixes)}`,
    () => `ip6 hoplimit ${dice.pick(['<', '>', '=='])} ${dice.pick([1, 2, 64, 254])}`,
    () => `ip6 nexthdr ${not(dice)}${dice.pick(['tcp', 'udp', 'ipv6-icmp', '0', '44'])}`,
    () => `icmpv6 type ${not(dice)}${dice.pick(['echo-request', 'nd-neighbor-solicit', 'nd-router-advert'])}`,
    () => `ip6 daddr ${not(dice)}{ ${dice.some(ipv6Destinations, 3).join(', ')} }`,
    () => `exthdr ${dice.pick(['hbh', 'frag', 'dst', 'rt'])} ${dice.pick(['exists', 'missing'])}`,
    () => `ip6 length ${dice.pick(['<', '>'])} ${dice.between(0, 60)}`,
    () => `ip6 dscp ${not(dice)}${dice.pick([0, 8])}`,
    () => `ip6 flowlabel ${dice.pick(['==', '!='])} 0`,
  ])();
}

function transportMatch(dice: Dice, { sets }: Scope): string {
  const port = () => dice.pick(ports);
  return dice.pick<() => string>([
    () => `tcp dport ${not(dice)}${port()}`,
    () => `udp dport ${not(dice)}${port()}`,
    () => `udp sport ${dice.pick(['<', '>', '<=', '>='])} 32000`,
    () => `tcp dport ${not(dice)}{ ${dice.some(ports, 3).join(', ')} }`,
    () => `tcp dport ${not(dice)}@${sets}_p`,
    () => `udp dport ${not(dice)}${dice.between(1, 100)}-${dice.between(100, 9999)}`,
    () => `th dport ${not(dice)}${port()}`,
    () => `tcp flags & (fin|syn|rst|ack) == ${dice.pick(['syn', 'ack', 'syn|ack'])}`,
    () => `tcp flags ${dice.pick(['syn', 'rst', 'fin'])}`,
    () => `udp length ${dice.pick(['<', '>'])} ${dice.between(8, 30)}`,
    () => `meta l4proto ${not(dice)}{ tcp, ${dice.pick(['udp', 'icmp', '253'])} }`,
    () =>
      `meta l4proto ${not(dice)}${dice.pick(['tcp', 'udp', 'icmp', 'ipv6-icmp', ...otherProtocols.map(String)])}`,
    () => `meta l4proto . th dport { tcp . ${port()}, udp . ${port()} }`,
    () => `tcp sequence > ${dice.word()}`,
    () => `tcp window < ${dice.between(0, 65_535)}`,
  ])();
}

function metaMatch(dice: Dice, { devices, point, family }: Scope): string {
  const makers: (() => string)[] = [
    () => `meta mark ${not(dice)}${dice.pick(marks)}`,
    () => `meta mark & 0x${dice.pick([1, 2, 0x11]).toString(16)} ${dice.pick(['==', '!='])} 0`,
    () => `meta mark ${dice.pick(['<', '>'])} ${dice.between(0, 20)}`,
    () => `meta length ${dice.pick(['<', '>', '<='])} ${dice.between(20, 100)}`,
    () => `meta pkttype ${not(dice)}${dice.pick(['host', 'broadcast', 'multicast'])}`,
    () => `meta protocol ${not(dice)}${dice.pick(['ip', 'ip6', 'arp', 'vlan'])}`,
    () => `iifname ${not(dice)}"${dice.pick([devices.tap, devices.uplink])}"`,
    () => `iif ${not(dice)}"${dice.pick([devices.tap, devices.uplink])}"`,
    () => `meta iiftype ${dice.pick(['ether', 'loopback'])}`,
    () => `iifname "${devices.tap.slice(0, 1)}*"`,
  ];
  if (point !== 'ingress') {
    makers.push(
      () => (family === 'inet' ? `meta nfproto ${not(dice)}${dice.pick(['ipv4', 'ipv6'])}` : 'counter'),
      () => `oifname ${not(dice)}"${dice.pick([devices.tap, devices.uplink])}"`,
      () => `oif ${not(dice)}"${devices.uplink}"`,
    );
  }
  return dice.pick(makers)();
}

function linkMatch(dice: Dice, _scope: Scope): string {
  return dice.pick<() => string>([
    () => `ether saddr ${not(dice)}${macText(dice.pick([macs.guest, macs.stranger]))}`,
    () => `ether daddr ${not(dice)}${macText(dice.pick([macs.tap, macs.broadcast]))}`,
    () => `ether type ${not(dice)}${dice.pick(['ip', 'ip6', 'arp', 'vlan', '8021ad'])}`,
    () => `vlan id ${not(dice)}${dice.pick([0, 5])}`,
    () => `vlan type ${not(dice)}${dice.pick(['ip', 'arp', 'vlan'])}`,
    () => `vlan pcp ${dice.pick([0, 3])}`,
    () => `arp operation ${not(dice)}${dice.pick(['request', 'reply'])}`,
    () => `arp saddr ip ${not(dice)}10.1.0.2`,
    () => `arp saddr ether ${not(dice)}${macText(macs.guest)}`,
    () => `@ll,96,16 ${dice.pick(['0x0800', '0x8100', '0x86dd'])}`,
  ])();
}

function ctMatch(dice: Dice, { family }: Scope): string {
  const makers: (() => string)[] = [
    () =>
      `ct state ${dice.pick(['established', 'new', 'invalid', 'related', 'untracked', 'established,related'])}`,
    () => `ct state != ${dice.pick(['established', 'new'])}`,
    () => `ct direction ${not(dice)}${dice.pick(['original', 'reply'])}`,
    () => `ct mark ${not(dice)}${dice.pick(marks)}`,
    () => `ct status ${dice.pick(['assured', 'confirmed', 'snat', 'dnat', 'seen-reply', 'expected'])}`,
    () => `ct original protocol ${dice.pick(['tcp', 'udp'])}`,
    () => `ct original proto-dst ${dice.pick(['>', '==', '!='])} 0x${dice.pick(ports).toString(16)}`,
  ];
  if (family !== 'ip6') {
    makers.push(
      () => `ct original ip saddr ${not(dice)}${dice.pick(['10.1.0.2', '8.8.8.8'])}`,
      () => `ct reply ip saddr ${not(dice)}${dice.pick(['8.8.8.8', '10.1.0.1'])}`,
      () => `ct original ip daddr ${dice.pick(ipv4Prefixes)}`,
    );
  }
  return dice.pick(makers)();
}

function fibMatch(dice: Dice, { family, point }: Scope): string {
  const before = family === 'inet' ? 'meta nfproto ipv4 ' : '';
  const type = dice.pick(['local', 'unicast', 'broadcast', 'multicast']);
  const device = point === 'prerouting' || point === 'input' ? dice.pick(['', ' . iif']) : '';
  return `${before}fib ${dice.pick(['saddr', 'daddr'])}${device} type ${not(dice)}${type}`;
}

function rawMatch(dice: Dice, _scope: Scope): string {
  return dice.pick<() => string>([
    () => `@nh,8,8 ${not(dice)}${dice.pick([0, 8, 0x20])}`,
    () => `@th,16,16 ${dice.pick(ports)}`,
    () => `@nh,64,8 > ${dice.between(1, 200)}`,
    () => `@th,0,32 & 0xffff == ${dice.pick(ports)}`,
    () => `@nh,160,16 ${not(dice)}0x0101`,
  ])();
}
