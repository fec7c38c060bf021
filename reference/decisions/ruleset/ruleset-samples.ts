/** Networks and policies of the ruleset's tests. */
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';

export const samplePod: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: ['10.96.0.0/12', 'fd00:10:96::/112'],
  nat64Prefixes: ['2001:db8:64::/48'],
  pinPrivateCIDRs: ['10.20.0.0/16'],
  masqueradePorts: [61_000, 65_000],
  maxPins: 256,
};

export function sampleNetwork(number: number, ipv6 = false): SandboxNetwork {
  const [third, fourth] = [number >> 6, (number & 63) * 4];
  const gateway = `10.200.${third}.${fourth + 1}`;
  const hex = (number + 1).toString(16);
  return {
    tap: `tap-${number}`,
    tapMac: '02:00:00:00:00:01',
    guestMac: '02:00:00:00:00:02',
    ipv4: { guest: `10.200.${third}.${fourth + 2}`, gateway, resolver: gateway },
    ipv6: ipv6
      ? { guest: `fd00:5:${hex}::2`, gateway: `fd00:5:${hex}::1`, resolver: `fd00:5:${hex}::1` }
      : null,
  };
}

export const narrowPolicy: SandboxPolicy = { egress: 'deny', allow: [], inbound: [] };

export const widePolicy: SandboxPolicy = {
  egress: 'allow',
  allow: ['10.0.0.0/8:443', 'udp://192.168.4.0/24:53', '[fd00:1::/32]:443', 'api.example.com:443'],
  inbound: [
    { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '10.0.0.0/8' },
    { protocol: 'udp', podPort: 5_060, guestPort: 5_060, from: '0.0.0.0/0' },
  ],
};

export const mixedPolicy: SandboxPolicy = {
  egress: 'deny',
  allow: ['10.0.0.0/8:443', '10.0.0.0/9:443', 'tcp://10.128.0.0/9:443', '203.0.113.7:8443'],
  inbound: [{ protocol: 'tcp', podPort: 8_080, guestPort: 8_080, from: '192.0.2.0/24' }],
};

/** The pod of tests on the kernel, and of the contract of every datapath: four pins fill a set. */
export const contractPod: PodNetwork = {
  uplink: 'up0',
  denyCIDRs: ['10.96.0.0/12'],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [61_000, 65_000],
  maxPins: 4,
};
