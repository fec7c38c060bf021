/** The kernel's numbers for nf_tables over nfnetlink (include/uapi/linux/netfilter/nf_tables.h). */
import type { Family, Hook } from '../ruleset.ts';

const subsystem = 10 << 8;

export const messages = {
  newTable: subsystem,
  getTable: subsystem | 1,
  getChain: subsystem | 4,
  getRule: subsystem | 7,
  getSet: subsystem | 10,
  getSetElement: subsystem | 13,
  getGeneration: subsystem | 16,
  trace: subsystem | 17,
  getObject: subsystem | 19,
} as const;

export const familyNumbers: Readonly<Record<Family, number>> = {
  inet: 1,
  ip: 2,
  arp: 3,
  netdev: 5,
  bridge: 7,
  ip6: 10,
};

export function familyOf(number: number): Family {
  const found = Object.entries(familyNumbers).find(([, value]) => value === number);
  if (found === undefined) throw new RangeError(`nf_tables family ${number}`);
  return found[0] as Family;
}

const inetHooks: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress'];

export function hookOf(family: Family, number: number): Hook {
  const hooks: readonly Hook[] =
    family === 'netdev'
      ? ['ingress', 'egress']
      : family === 'arp'
        ? ['input', 'output', 'forward']
        : inetHooks;
  const hook = hooks[number];
  if (hook === undefined) throw new RangeError(`hook ${number} of family ${family}`);
  return hook;
}

export const metaKeys: readonly string[] = [
  'length',
  'protocol',
  'priority',
  'mark',
  'iif',
  'oif',
  'iifname',
  'oifname',
  'iiftype',
  'oiftype',
  'skuid',
  'skgid',
  'nftrace',
  'rtclassid',
  'secmark',
  'nfproto',
  'l4proto',
  'ibrname',
  'obrname',
  'pkttype',
  'cpu',
  'iifgroup',
  'oifgroup',
  'cgroup',
  'random',
  'ipsec',
  'iifkind',
  'oifkind',
  'ibrpvid',
  'ibrvproto',
  'time',
  'day',
  'hour',
  'sdif',
  'sdifname',
];

export const ctKeys: readonly string[] = [
  'state',
  'direction',
  'status',
  'mark',
  'secmark',
  'expiration',
  'helper',
  'l3proto',
  'saddr',
  'daddr',
  'protocol',
  'proto-src',
  'proto-dst',
  'label',
  'packets',
  'bytes',
  'avgpkt',
  'zone',
  'event',
  'ip saddr',
  'ip daddr',
  'ip6 saddr',
  'ip6 daddr',
  'id',
];

export const objectTypes: readonly string[] = [
  'unspecified',
  'counter',
  'quota',
  'ct helper',
  'limit',
  'connlimit',
  'tunnel',
  'ct timeout',
  'secmark',
  'ct expectation',
  'synproxy',
];
