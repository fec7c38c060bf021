/** Each field of a network that no ruleset could hold to is refused by name, before anything is done. */
import { expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { checkNetwork, checkPod, checkPolicy, maxDenyCidrs, maxInboundPorts } from './check-network.ts';
import { maxCidrEntries } from './policy-elements.ts';
import { openSandbox } from './ruleset.ts';
import { mixedPolicy, narrowPolicy, sampleNetwork, samplePod, widePolicy } from './ruleset-samples.ts';

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'none';
}

test('the networks and policies of the other tests are accepted', () => {
  checkPod(samplePod);
  checkNetwork(samplePod, sampleNetwork(3, true));
  for (const policy of [narrowPolicy, widePolicy, mixedPolicy]) checkPolicy(samplePod, policy);
});

test('a pod names its field: uplink, ports, bounds, lists', () => {
  const bad: [Partial<PodNetwork>, string][] = [
    [{ uplink: '' }, 'uplink'],
    [{ uplink: 'lo' }, 'uplink'],
    [{ uplink: 'eth*' }, 'uplink'],
    [{ uplink: 'a-name-of-16-cha' }, 'uplink'],
    [{ masqueradePorts: [65_000, 61_000] }, 'masqueradePorts'],
    [{ masqueradePorts: [0, 1_000] }, 'masqueradePorts'],
    [{ masqueradePorts: [53, 2_000] }, 'masqueradePorts'],
    [{ masqueradePorts: [61_000, 65_536] }, 'masqueradePorts'],
    [{ masqueradePorts: [61_000.5, 65_000] }, 'masqueradePorts'],
    [{ maxPins: 0 }, 'maxPins'],
    [{ maxPins: 1 << 20 }, 'maxPins'],
    [{ denyCIDRs: Array.from({ length: maxDenyCidrs + 1 }, () => '10.0.0.0/8') }, 'denyCIDRs'],
    [{ nat64Prefixes: Array.from({ length: 9 }, () => '64:ff9b::/96') }, 'nat64Prefixes'],
  ];
  for (const [change, field] of bad) {
    expect(
      refusalOf(() => checkPod({ ...samplePod, ...change })),
      JSON.stringify(change),
    ).toMatch(new RegExp(`^bad-network ${field}: `));
  }
  expect(refusalOf(() => checkPod({ ...samplePod, denyCIDRs: ['10.0.0.1/8'] }))).toMatch(
    /^bad-prefix denyCIDRs/,
  );
  expect(refusalOf(() => checkPod({ ...samplePod, nat64Prefixes: ['64:ff9b::/95'] }))).toMatch(/^bad-/);
  checkPod({ ...samplePod, uplink: 'bond0.100' });
});

const good = sampleNetwork(0, true);
const ipv4 = (change: Partial<SandboxNetwork['ipv4']>) => ({ ipv4: { ...good.ipv4, ...change } });
const ipv6 = (change: Partial<SandboxNetwork['ipv4']>) => ({
  ipv6: { guest: 'fd00:5:1::2', gateway: 'fd00:5:1::1', resolver: 'fd00:5:1::1', ...change },
});

test('a sandbox names its field: names, MACs, addresses', () => {
  const bad: [Partial<SandboxNetwork>, string][] = [
    [{ tap: 'Tap' }, 'tap'],
    [{ tap: 'tap/x' }, 'tap'],
    [{ tap: 'eth0' }, 'tap'],
    [{ tap: 'lo' }, 'tap'],
    [{ tap: 'all' }, 'tap'],
    [{ tapMac: '02:00:00:00:00' }, 'tapMac'],
    [{ tapMac: '03:00:00:00:00:01' }, 'tapMac'],
    [{ guestMac: 'ff:ff:ff:ff:ff:ff' }, 'guestMac'],
    [{ guestMac: '00:00:00:00:00:00' }, 'guestMac'],
    [{ guestMac: '02:00:00:00:00:0A' }, 'guestMac'],
    [{ guestMac: good.tapMac }, 'guestMac'],
    [ipv4({ guest: '10.200.0.300' }), 'ipv4.guest'],
    [ipv4({ guest: '010.200.0.2' }), 'ipv4.guest'],
    [ipv4({ guest: '10.200.1.2' }), 'ipv4.gateway'],
    [ipv4({ guest: '10.200.0.1' }), 'ipv4.gateway'],
    [ipv4({ guest: '10.200.0.0' }), 'ipv4.guest'],
    [ipv4({ guest: '10.200.0.3' }), 'ipv4.guest'],
    [ipv4({ gateway: '10.200.0.0' }), 'ipv4.gateway'],
    [ipv4({ resolver: '10.200.0.2' }), 'ipv4.resolver'],
    [ipv4({ resolver: '10.200.0.3' }), 'ipv4.resolver'],
    [ipv4({ resolver: '127.0.0.53' }), 'ipv4.resolver'],
    [ipv4({ resolver: '224.0.0.251' }), 'ipv4.resolver'],
    [ipv4({ guest: 'fd00::2' }), 'ipv4.guest'],
    [ipv6({ guest: '10.200.0.2' }), 'ipv6.guest'],
    [ipv6({ guest: 'FD00:5:1::2' }), 'ipv6.guest'],
    [ipv6({ guest: 'fd00:5:1::' }), 'ipv6.guest'],
    [ipv6({ guest: 'fd00:5:2::2' }), 'ipv6.gateway'],
    [ipv6({ guest: 'fe80::2', gateway: 'fe80::1' }), 'ipv6.guest'],
    [ipv6({ resolver: '::ffff:a00:1' }), 'ipv6.resolver'],
    [ipv6({ resolver: 'fd00:5:1::2' }), 'ipv6.resolver'],
  ];
  for (const [change, field] of bad) {
    const refusal = refusalOf(() => openSandbox(samplePod, { ...good, ...change }, narrowPolicy));
    expect(refusal, JSON.stringify(change)).toMatch(new RegExp(`^bad-network ${field}: `));
  }
  checkNetwork(samplePod, { ...good, ...ipv4({ resolver: '169.254.20.10' }) });
});

test('a policy names its entry: CIDRs, inbound ports, bounds', () => {
  const port = { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '10.0.0.0/8' } as const;
  const bad: [Partial<SandboxPolicy>, RegExp][] = [
    [{ allow: ['10.0.0.0/8'] }, /^bad-allow-entry allow: "10.0.0.0\/8"/],
    [{ allow: ['10.0.0.1/8:443'] }, /^bad-prefix allow/],
    [{ allow: Array.from({ length: maxCidrEntries + 1 }, () => '10.0.0.0/8:443') }, /^bad-network allow/],
    [{ inbound: [port, port] }, /^bad-network inbound\[1\]/],
    [{ inbound: [{ ...port, podPort: 0 }] }, /^bad-network inbound\[0\]\.podPort/],
    [{ inbound: [{ ...port, podPort: 61_001 }] }, /^bad-network inbound\[0\]\.podPort/],
    [{ inbound: [{ ...port, guestPort: 1.5 }] }, /^bad-network inbound\[0\]\.guestPort/],
    [{ inbound: [{ ...port, from: 'fd00::/8' }] }, /^bad-network inbound\[0\]\.from/],
    [{ inbound: [{ ...port, from: '10.0.0.1' }] }, /^bad-prefix inbound\[0\]\.from/],
    [{ inbound: Array.from({ length: maxInboundPorts + 1 }, () => port) }, /^bad-network inbound/],
  ];
  for (const [change, refusal] of bad) {
    expect(
      refusalOf(() => checkPolicy(samplePod, { ...narrowPolicy, ...change })),
      JSON.stringify(change).slice(0, 90),
    ).toMatch(refusal);
  }
});
