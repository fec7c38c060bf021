/** Which flows outlive a change of policy: by the rules of the new one, and by nothing else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileAdmits, type Flow, type Place } from './admits.ts';
import { mixedPolicy, narrowPolicy, sampleNetwork, samplePod, widePolicy } from './ruleset-samples.ts';

const network = sampleNetwork(0, true);
const { guest, gateway } = network.ipv4;

function flow(change: Partial<Flow>): Flow {
  const destination = change.destination ?? '93.184.215.14';
  return {
    source: guest,
    destination,
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: 443,
    icmpType: null,
    answeredBy: destination,
    answeredFrom: change.destinationPort ?? 443,
    ...change,
  };
}

const nothingPinned = (_: Place) => false;
const ruleOf = (policy: typeof widePolicy, change: Partial<Flow>, isPinned = nothingPinned) =>
  compileAdmits(samplePod, network, policy)(flow(change), isPinned);

test('the resolver on port 53 always, and no other port of it', () => {
  for (const protocol of [6, 17]) {
    const change = { destination: gateway, destinationPort: 53, protocol };
    expect(ruleOf(narrowPolicy, change)).toEqual({ admitted: true, rule: 'the resolver' });
  }
  expect(ruleOf(widePolicy, { destination: gateway, destinationPort: 443 }).admitted).toBe(false);
  expect(ruleOf(widePolicy, { destination: gateway, destinationPort: 53, protocol: 1 }).admitted).toBe(false);
});

test('by CIDR, by pin, by egress allow; never what is denied', () => {
  expect(ruleOf(mixedPolicy, { destination: '10.1.2.3' }).rule).toBe('an allowed CIDR');
  expect(ruleOf(mixedPolicy, { destination: '10.1.2.3', destinationPort: 80 }).rule).toBe('private');
  expect(ruleOf(mixedPolicy, { destination: '10.96.0.1' }).rule).toBe('never');
  expect(ruleOf(widePolicy, { destination: '169.254.169.254' }, () => true).rule).toBe('never');
  expect(ruleOf(widePolicy, { destination: '172.16.0.1' }, () => true).rule).toBe('private');
  expect(ruleOf(narrowPolicy, {}).rule).toBe('default egress is deny');
  expect(ruleOf(narrowPolicy, {}, ({ port }) => port === 443).rule).toBe('a pinned address');
  expect(ruleOf(narrowPolicy, { protocol: 132 }, () => true).rule).toBe('default egress is deny');
  expect(ruleOf(widePolicy, {}).rule).toBe('everything else');
  expect(ruleOf(widePolicy, { protocol: 1, icmpType: 8 }).rule).toBe('echo');
  expect(ruleOf(widePolicy, { protocol: 1, icmpType: 13 }).admitted).toBe(false);
  expect(ruleOf(widePolicy, { destination: '224.0.0.1' }).rule).toBe('not to a unicast destination');
});

test('IPv6: metadata inside NAT64, 6to4, ISATAP and mapped addresses is never admitted', () => {
  const source = network.ipv6?.guest ?? '';
  for (const destination of [
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '2a00::5efe:a9fe:a9fe',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    '2001:db8:64:a9fe:1a9:fe00::',
  ]) {
    expect(ruleOf(widePolicy, { source, destination }, () => true).admitted, destination).toBe(false);
  }
  expect(ruleOf(widePolicy, { source, destination: '::ffff:5db8:d70e' }, () => true).admitted).toBe(false);
  const everywhere = { ...narrowPolicy, allow: ['[::/0]:443'] };
  expect(ruleOf(everywhere, { source, destination: '::ffff:5db8:d70e' }).admitted).toBe(false);
  expect(ruleOf(everywhere, { source, destination: '2606:2800::1' }).admitted).toBe(true);
  expect(ruleOf(widePolicy, { source, destination: 'fd00:1::7' }).rule).toBe('an allowed CIDR');
  expect(ruleOf(widePolicy, { source, destination: '2606:2800::1' }).rule).toBe('everything else');
});

test('an inbound flow lives as long as its very port is open to its sender', () => {
  const inbound = {
    source: '10.0.0.9',
    destination: '192.0.2.10',
    destinationPort: 8_080,
    answeredBy: guest,
    answeredFrom: 80,
  };
  expect(ruleOf(widePolicy, inbound).rule).toBe('an inbound port');
  expect(ruleOf(widePolicy, { ...inbound, source: '11.0.0.9' }).admitted).toBe(false);
  expect(ruleOf(widePolicy, { ...inbound, answeredFrom: 81 }).admitted).toBe(false);
  expect(ruleOf(widePolicy, { ...inbound, protocol: 17 }).admitted).toBe(false);
  expect(ruleOf(mixedPolicy, inbound).admitted).toBe(false);
});

test('another source is never admitted', () => {
  expect(ruleOf(widePolicy, { source: '10.200.0.0' }).rule).toBe('any other source');
});

test('total: whatever a flow says is answered with a rule', () => {
  const anything = fc.record({
    source: fc.oneof(fc.constant(guest), fc.ipV4(), fc.ipV6(), fc.string()),
    destination: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
    protocol: fc.nat({ max: 255 }),
    sourcePort: fc.nat({ max: 65_535 }),
    destinationPort: fc.nat({ max: 65_535 }),
    icmpType: fc.option(fc.nat({ max: 255 })),
    answeredBy: fc.oneof(fc.constant(guest), fc.ipV4(), fc.string()),
    answeredFrom: fc.nat({ max: 65_535 }),
  });
  const admits = compileAdmits(samplePod, network, widePolicy);
  fc.assert(fc.property(anything, (one) => admits(one, nothingPinned).rule !== ''));
});
