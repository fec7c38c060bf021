/** Each field of a network that no ruleset could hold to is refused by name, before anything is done. */
import { expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { checkNetwork, checkPod, checkPolicy } from './check-network.ts';
import { openSandbox } from './ruleset.ts';
import { mixedPolicy, narrowPolicy, sampleNetwork, samplePod, widePolicy } from './ruleset-samples.ts';

/** `code message`, or `none`. */
function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (error.code === 'bad-network') expect(error.remediation).toBe('mend the field that the message names');
    return `${error.code} ${error.message}`;
  }
  return 'none';
}

const many = (count: number, text: string) => Array.from({ length: count }, () => text);

test('the networks and policies of the other tests are accepted', () => {
  checkPod(samplePod);
  checkNetwork(samplePod, sampleNetwork(3, true));
  for (const policy of [narrowPolicy, widePolicy, mixedPolicy]) checkPolicy(samplePod, policy);
});

const noUplink = 'bad-network uplink: no name of an uplink';
const noRange = 'bad-network masqueradePorts: no range of ports';
const wellKnown = 'bad-network masqueradePorts: begins among the well-known ports, below 1024';
const noBound = 'bad-network maxPins: not 1 to 65536';

test.each<[Partial<PodNetwork>, string]>([
  [{ uplink: '' }, noUplink],
  [{ uplink: 'lo' }, noUplink],
  [{ uplink: 'all' }, noUplink],
  [{ uplink: 'default' }, noUplink],
  [{ uplink: 'eth*' }, noUplink],
  [{ uplink: '*eth' }, noUplink],
  [{ uplink: 'a-name-of-16-cha' }, noUplink],
  [{ masqueradePorts: [65_000, 61_000] }, noRange],
  [{ masqueradePorts: [61_000, 61_000] }, noRange],
  [{ masqueradePorts: [0, 1_000] }, noRange],
  [{ masqueradePorts: [61_000, 65_536] }, noRange],
  [{ masqueradePorts: [61_000.5, 65_000] }, noRange],
  [{ masqueradePorts: [53, 2_000] }, wellKnown],
  [{ masqueradePorts: [1, 2_000] }, wellKnown],
  [{ masqueradePorts: [1_023, 2_000] }, wellKnown],
  [{ maxPins: 0 }, noBound],
  [{ maxPins: 1.5 }, noBound],
  [{ maxPins: 65_537 }, noBound],
  [{ denyCIDRs: many(1_025, '10.0.0.0/8') }, 'bad-network denyCIDRs: 1025 entries, more than 1024'],
  [
    { pinPrivateCIDRs: many(1_025, '10.0.0.0/8') },
    'bad-network pinPrivateCIDRs: 1025 entries, more than 1024',
  ],
  [{ nat64Prefixes: many(9, '64:ff9b::/96') }, 'bad-network nat64Prefixes: 9 entries, more than 8'],
  [{ denyCIDRs: ['10.0.0.1/8'] }, 'bad-prefix denyCIDRs: "10.0.0.1/8" has host bits set'],
  [
    { nat64Prefixes: ['64:ff9a::/95'] },
    'bad-nat64-prefix nat64Prefixes: 64:ff9a::/95: its length is none of /32 /40 /48 /56 /64 /96',
  ],
])('a pod is refused by its field: %#', (change, refusal) => {
  expect(refusalOf(() => checkPod({ ...samplePod, ...change }))).toBe(refusal);
});

test.each<Partial<PodNetwork>>([
  { uplink: 'bond0.100' },
  { uplink: 'a-name-of-15-ch' },
  { masqueradePorts: [1_024, 1_025] },
  { masqueradePorts: [61_000, 65_535] },
  { maxPins: 1 },
  { maxPins: 65_536 },
  { denyCIDRs: many(1_024, '10.0.0.0/8'), nat64Prefixes: many(8, '64:ff9b::/96') },
])('a pod at a bound is accepted: %#', (change) => {
  expect(refusalOf(() => checkPod({ ...samplePod, ...change }))).toBe('none');
});

const good = sampleNetwork(0, true);
const ipv4 = (change: Partial<SandboxNetwork['ipv4']>) => ({ ipv4: { ...good.ipv4, ...change } });
const ipv6 = (change: Partial<SandboxNetwork['ipv4']>) => ({
  ipv6: { guest: 'fd00:5:1::2', gateway: 'fd00:5:1::1', resolver: 'fd00:5:1::1', ...change },
});

const noTap = 'tap: no interface name of a-z, 0-9 and -';
const noMac = 'no MAC address in lower case';
const noAddress = 'no address';
const ofGuest = 'the address of the guest';
const atEdge = 'the network or broadcast address of the subnet';
const notUnicast = 'no unicast address of its own';

test.each<[Partial<SandboxNetwork>, string]>([
  [{ tap: 'Tap' }, noTap],
  [{ tap: 'tap/x' }, noTap],
  [{ tap: '-tap' }, noTap],
  [{ tap: 'a-name-of-16-cha' }, noTap],
  [{ tap: 'lo' }, noTap],
  [{ tap: 'all' }, noTap],
  [{ tap: 'default' }, noTap],
  [{ tap: 'eth0' }, 'tap: the name of the uplink'],
  [{ tapMac: '02:00:00:00:00' }, `tapMac: ${noMac}`],
  [{ tapMac: '02:00:00:00:00:01:02' }, `tapMac: ${noMac}`],
  [{ tapMac: ' 02:00:00:00:00:01' }, `tapMac: ${noMac}`],
  [{ guestMac: '02:00:00:00:00:0A' }, `guestMac: ${noMac}`],
  [{ tapMac: '03:00:00:00:00:01' }, 'tapMac: a group address'],
  [{ guestMac: 'ff:ff:ff:ff:ff:ff' }, 'guestMac: a group address'],
  [{ guestMac: '00:00:00:00:00:00' }, 'guestMac: all zeros'],
  [{ guestMac: good.tapMac }, 'guestMac: the MAC of the tap'],
  [ipv4({ guest: '10.200.0.300' }), `ipv4.guest: ${noAddress}`],
  [ipv4({ guest: '010.200.0.2' }), `ipv4.guest: ${noAddress}`],
  [ipv4({ guest: 'fd00::2' }), `ipv4.guest: ${noAddress}`],
  [ipv6({ guest: '10.200.0.2' }), `ipv6.guest: ${noAddress}`],
  [ipv6({ guest: 'FD00:5:1::2' }), 'ipv6.guest: not in its canonical text, fd00:5:1::2'],
  [ipv4({ guest: '10.200.1.2' }), "ipv4.gateway: outside the guest's /30"],
  [ipv6({ guest: 'fd00:5:2::2' }), "ipv6.gateway: outside the guest's /64"],
  [ipv4({ guest: '10.200.0.1' }), `ipv4.gateway: ${ofGuest}`],
  [ipv4({ resolver: '10.200.0.2' }), `ipv4.resolver: ${ofGuest}`],
  [ipv6({ resolver: 'fd00:5:1::2' }), `ipv6.resolver: ${ofGuest}`],
  [ipv4({ guest: '10.200.0.0' }), `ipv4.guest: ${atEdge}`],
  [ipv4({ guest: '10.200.0.3' }), `ipv4.guest: ${atEdge}`],
  [ipv4({ gateway: '10.200.0.0' }), `ipv4.gateway: ${atEdge}`],
  [ipv4({ resolver: '10.200.0.3' }), `ipv4.resolver: ${atEdge}`],
  [ipv6({ guest: 'fd00:5:1::' }), `ipv6.guest: ${atEdge}`],
  ...['0.255.255.255', '127.0.0.0', '127.255.255.255', '224.0.0.0', '255.255.255.255'].map(
    (resolver): [Partial<SandboxNetwork>, string] => [ipv4({ resolver }), `ipv4.resolver: ${notUnicast}`],
  ),
  ...['::', '::1', 'ff00::', '::ffff:a00:1', 'fe80::53', 'febf:ffff::'].map(
    (resolver): [Partial<SandboxNetwork>, string] => [ipv6({ resolver }), `ipv6.resolver: ${notUnicast}`],
  ),
  [ipv6({ guest: 'fe80::2', gateway: 'fe80::1' }), `ipv6.guest: ${notUnicast}`],
])('a sandbox is refused by its field: %j', (change, refusal) => {
  const network = { ...good, ...change };
  expect(refusalOf(() => openSandbox(samplePod, network, narrowPolicy))).toBe(`bad-network ${refusal}`);
});

test.each<Partial<SandboxNetwork>>([
  { tap: 'a-name-of-15-ch' },
  // Another subnet has edges of its own, which are not known here.
  ...['1.0.0.0', '126.255.255.255', '128.0.0.0', '223.255.255.255', '169.254.20.11'].map((resolver) =>
    ipv4({ resolver }),
  ),
  ...['::2', 'fe00::', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::1:0:1'].map((resolver) =>
    ipv6({ resolver }),
  ),
  // IPv6 knows no broadcast.
  ipv6({ guest: 'fd00:5:1:0:ffff:ffff:ffff:ffff' }),
])('a sandbox at a bound is accepted: %j', (change) => {
  expect(refusalOf(() => checkNetwork(samplePod, { ...good, ...change }))).toBe('none');
});

const port = { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '10.0.0.0/8' } as const;
const noPort = 'no port from 1 to 65535';
const ports = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...port, podPort: index + 1 }));

test.each<[Partial<SandboxPolicy>, string]>([
  [{ allow: ['10.0.0.0/8'] }, `bad-allow-entry allow: "10.0.0.0/8": it has ${noPort}`],
  [{ allow: ['10.0.0.1/8:443'] }, 'bad-prefix allow: "10.0.0.1/8" has host bits set'],
  [{ allow: many(1_025, '10.0.0.0/8:443') }, 'bad-network allow: 1025 entries, more than 1024'],
  [{ inbound: ports(65) }, 'bad-network inbound: 65 ports, more than 64'],
  [{ inbound: [port, port] }, 'bad-network inbound[1]: tcp 8080 10.0.0.0/8 stands twice'],
  [
    { inbound: [{ ...port, protocol: 'sctp' as 'tcp' }] },
    'bad-network inbound[0].protocol: neither tcp nor udp',
  ],
  [{ inbound: [{ ...port, podPort: 0 }] }, `bad-network inbound[0].podPort: ${noPort}`],
  [{ inbound: [{ ...port, podPort: 65_536 }] }, `bad-network inbound[0].podPort: ${noPort}`],
  [{ inbound: [{ ...port, guestPort: 1.5 }] }, `bad-network inbound[0].guestPort: ${noPort}`],
  ...[61_000, 61_001, 65_000].map((podPort): [Partial<SandboxPolicy>, string] => [
    { inbound: [{ ...port, podPort }] },
    'bad-network inbound[0].podPort: among masqueradePorts, where replies to guests arrive',
  ]),
  [
    { inbound: [port, { ...port, from: 'fd00::/8' }] },
    'bad-network inbound[1].from: no CIDR of IPv4: ports are opened for IPv4 only',
  ],
  [
    { inbound: [{ ...port, from: '10.0.0.1' }] },
    'bad-prefix inbound[0].from: "10.0.0.1" is no address with a prefix length',
  ],
])('a policy is refused by its entry: %#', (change, refusal) => {
  expect(refusalOf(() => checkPolicy(samplePod, { ...narrowPolicy, ...change }))).toBe(refusal);
});

test.each<Partial<SandboxPolicy>>([
  { allow: many(1_024, '10.0.0.0/8:443') },
  { inbound: ports(64) },
  { inbound: [port, { ...port, protocol: 'udp' }, { ...port, podPort: 81 }, { ...port, from: '0.0.0.0/0' }] },
  {
    inbound: [
      { ...port, podPort: 60_999 },
      { ...port, podPort: 65_001 },
    ],
  },
  {
    inbound: [
      { ...port, podPort: 1, guestPort: 65_535 },
      { ...port, podPort: 65_535, guestPort: 1 },
    ],
  },
])('a policy at a bound is accepted: %#', (change) => {
  expect(refusalOf(() => checkPolicy(samplePod, { ...narrowPolicy, ...change }))).toBe('none');
});
