/** The mark of a sandbox's flows: 32 bits of a digest over pod, network and policy. */
import { expect, test } from 'vitest';
import { flowMark } from './flow-mark.ts';

const pod = {
  uplink: 'eth0',
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [61_000, 65_000],
  maxPins: 256,
} as const;
const network = {
  tap: 'tap-a',
  tapMac: '02:00:00:00:00:01',
  guestMac: '02:00:00:00:00:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
  ipv6: null,
};
const policy = { egress: 'deny', allow: ['10.0.0.0/8:443'], inbound: [] } as const;

test('always the first 32 bits of SHA-256 over the canonical JSON of all three', () => {
  // sha256sum of {"network":{"guestMac":…},"pod":…,"policy":…}: keys sorted, no spaces.
  expect(flowMark(pod, network, policy)).toBe(0x8bfa7361);
});

test('always another one when pod, network or policy is another', () => {
  const marks = [
    flowMark(pod, network, policy),
    flowMark({ ...pod, maxPins: 255 }, network, policy),
    flowMark(pod, { ...network, tap: 'tap-b' }, policy),
    flowMark(pod, network, { ...policy, egress: 'allow' }),
  ];
  expect(new Set(marks).size).toBe(4);
});
