/**
 * The reference's own ruleset, written out as nft would list it: the positive control of every check, always
 * of the rules that stand in this tree.
 */
import { readJson } from '#properties/oracles/nft/json/read-json.ts';
import type { Json } from '#properties/oracles/nft/json/values.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { openPod, openSandbox } from '#reference/decisions/ruleset/ruleset.ts';
import type { Subject } from './claims-of-ruleset.ts';

const pod: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [32_768, 49_151],
  maxPins: 1_024,
};

const network: SandboxNetwork = {
  tap: 'tap0',
  tapMac: '02:00:00:00:00:01',
  guestMac: '02:00:00:00:00:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
  ipv6: null,
};

const policy: SandboxPolicy = {
  egress: 'deny',
  allow: ['tcp://203.0.113.0/24:443', 'udp://10.96.0.10/32:5353'],
  inbound: [{ protocol: 'tcp', podPort: 8080, guestPort: 80, from: '0.0.0.0/0' }],
};

const topology: Topology = {
  devices: [
    { name: 'lo', index: 1, hardware: 772, mac: [0, 0, 0, 0, 0, 0], addresses: ['127.0.0.1/8', '::1/128'] },
    {
      name: 'tap0',
      index: 2,
      hardware: 1,
      mac: [2, 0, 0, 0, 0, 1],
      addresses: ['10.200.0.1/30', 'fe80::ff:fe00:1/64'],
    },
    {
      name: 'eth0',
      index: 3,
      hardware: 1,
      mac: [2, 0, 0, 0, 0, 16],
      addresses: ['172.20.0.10/24', 'fd00:2::10/64', 'fe80::ff:fe00:10/64'],
    },
  ],
  routes: [
    { prefix: '0.0.0.0/0', device: 'eth0' },
    { prefix: '::/0', device: 'eth0' },
  ],
  forwarding: { ipv4: true, ipv6: true },
  ipv6Disabled: [],
};

export function referenceSubject(): Subject {
  const text = referenceListing();
  const options = { ingressDevices: [], indexOf: () => 0 };
  return {
    ruleset: readJson(text, options),
    topology,
    bridgePorts: {},
    facts: {
      taps: [{ tap: 'tap0', device: 'tap0', guest: '10.200.0.2', mac: [2, 0, 0, 0, 0, 2] }],
      resolver: '10.200.0.1',
      uplink: 'eth0',
      allow: [
        { protocol: 'tcp', prefix: '203.0.113.0/24', ports: { first: 443, last: 443 } },
        { protocol: 'udp', prefix: '10.96.0.10/32', ports: { first: 5_353, last: 5_353 } },
      ],
      inbound: [{ protocol: 'tcp', port: 80 }],
    },
  };
}

type Members = { readonly [key: string]: Json };

/** Commands that add or create become entries that list; elements go into their set. */
export function referenceListing(): string {
  const commands = [...openPod(pod).nftables, ...openSandbox(pod, network, policy).nftables];
  const elements = new Map<string, Json[]>();
  const entries: Members[] = [];
  for (const { add, create } of commands) {
    const [kind, body] = Object.entries(add ?? create ?? {})[0] ?? [];
    if (kind === undefined) continue;
    const members = body as Members;
    const place = `${String(members.table)} ${String(members.name)}`;
    if (kind === 'element') {
      elements.set(place, [...(elements.get(place) ?? []), ...(members.elem as readonly Json[])]);
    } else entries.push({ [kind]: { ...members, handle: entries.length + 1 } });
  }
  const whole = entries.map((entry): Members => {
    const [kind = '', body] = Object.entries(entry)[0] ?? [];
    const members = body as Members;
    const elem = elements.get(`${String(members.table)} ${String(members.name)}`);
    return elem === undefined || (kind !== 'set' && kind !== 'map')
      ? entry
      : { [kind]: { ...members, elem } };
  });
  return JSON.stringify({ nftables: whole });
}
