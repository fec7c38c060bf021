/** Which flows outlive a change of policy: whatever a flow says, it is answered with a rule. */
import fc from 'fast-check';
import { test } from 'vitest';
import { compileAdmits } from './admits.ts';
import { sampleNetwork, samplePod, widePolicy } from './ruleset-samples.ts';

const network = sampleNetwork(0, true);
const { guest } = network.ipv4;

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
  fc.assert(fc.property(anything, (one) => admits(one, () => false).rule !== ''));
});
