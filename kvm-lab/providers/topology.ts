/** Addresses of the lab: a husk pod, its two guests, and the world behind the pod's uplink. All of it is made up. */
import type { PodPlace, PolicyOrder, SandboxPlace } from '#properties/subjects/datapath-protocol.ts';

export const uplink = {
  name: 'eth0',
  mac: '0a:00:00:00:00:10',
  ipv4: '10.244.1.10',
  ipv6: 'fd00:244:1::10',
} as const;

/** The pod's default router, which is also the node whose kubelet probes. */
export const router = { mac: '0a:00:00:00:00:01', ipv4: '10.244.1.1', ipv6: 'fd00:244:1::1' } as const;

/** The world's hosts; each answers TCP and UDP on `openPorts`. */
export const hosts = {
  /** By CIDR of the policy, TCP port 443. */
  allowed: '93.184.215.14',
  /** By a pin, TCP and UDP port 443. */
  pinned: '151.101.1.69',
  forbidden: '185.199.108.153',
  controller: '10.244.9.5',
  neighbor: '10.244.1.20',
  dnsServer: '9.9.9.9',
  metadata: '169.254.169.254',
  wireServer: '168.63.129.16',
  alibabaMetadata: '100.100.100.200',
} as const;

export const hosts6 = {
  allowed: '2606:4700::2222',
  forbidden: '2606:4700::1111',
  metadata: 'fd00:ec2::254',
} as const;
export const openPorts = [80, 443, 8080] as const;

export const guest: SandboxPlace = {
  tap: 'tap-a',
  tapMac: '02:00:00:00:0a:01',
  guestMac: '02:00:00:00:0a:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
  ipv6: null,
};

/** The same guest with the option IPv6. */
export const guest6: SandboxPlace = {
  ...guest,
  ipv6: { guest: 'fd00:200::2', gateway: 'fd00:200::1', resolver: 'fd00:200::1' },
};

export const sibling: SandboxPlace = {
  tap: 'tap-b',
  tapMac: '02:00:00:00:0b:01',
  guestMac: '02:00:00:00:0b:02',
  ipv4: { guest: '10.200.0.6', gateway: '10.200.0.5', resolver: '10.200.0.5' },
  ipv6: null,
};

export const pod: PodPlace = {
  uplink: uplink.name,
  denyCIDRs: ['10.244.0.0/16', '10.96.0.0/12'],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [61_000, 65_000],
  maxPins: 1_024,
};

/** What the guest may: one CIDR, and whatever is pinned. */
export const policy: PolicyOrder = {
  egress: 'deny',
  allow: [`tcp://${hosts.allowed}/32:443`, `udp://${hosts.allowed}/32:443`],
  inbound: [],
};

export const policy6: PolicyOrder = {
  ...policy,
  allow: [...policy.allow, `tcp://[${hosts6.allowed}/128]:443`],
};

export const nothingAllowed: PolicyOrder = { egress: 'deny', allow: [], inbound: [] };

/** The upstream servers that a DNS proxy is told, in order of preference. */
export const dnsServers = [
  { address: hosts.dnsServer, port: 53 },
  { address: '149.112.112.112', port: 53 },
] as const;

/** Of the pod: the husk's control channel and its sandbox API. */
export const listenerPorts = { control: 9_443, api: 9_091 } as const;
export const resolverPort = 53;
