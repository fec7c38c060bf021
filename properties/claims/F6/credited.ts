/** F6.credited: what was not credited is not reported as success. */
import * as fc from 'fast-check';
import { clock, device, generation, octetsOf } from '../../arbitraries/reseed.ts';
import { type Device, type ForkClock, KernelGenerator } from '../../models/kernel-generator.ts';
import { runReport } from '../../models/report-run.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

interface CreditedCase {
  readonly device: Device;
  readonly clock: ForkClock;
  readonly seedOctets: number;
  readonly generation: number;
}

function run(subject: Subject, input: CreditedCase) {
  const kernel = KernelGenerator.fork('template', 1, input.clock, input.device);
  const seed = octetsOf('seed', input.seedOctets);
  const request = { generation: input.generation, nonce: octetsOf('nonce'), seed };
  return { ...runReport(subject, request, kernel), creditedBits: kernel.creditedBits };
}

export const claim = defineClaim<CreditedCase>({
  id: 'F6.credited',
  statement:
    'An uncredited reseed is never reported as success: not on a device that is a regular file (ENOTTY), not without CAP_SYS_ADMIN (EPERM), not when only a part of the seed was taken.',
  source: 'findings.md F6; random(4), RNDADDENTROPY',
  decisions: ['reseed-report'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
  },
  arbitrary: () =>
    fc.record({
      device,
      clock,
      seedOctets: fc.oneof(fc.constantFrom(32, 33, 48, 64, 512), fc.integer({ min: 32, max: 512 })),
      generation,
    }),
  control(subject) {
    const input = { device: 'working', clock: 'jitter', seedOctets: 32, generation: 7 } as const;
    return run(subject, input).reply?.ok === true ? null : 'a working device is not reported as success';
  },
  judge(subject, input) {
    const { reply, rule, trace, creditedBits } = run(subject, input);
    const success = reply !== null && (reply.ok || reply.reseeded_rng);
    if (!success || creditedBits >= 8 * input.seedOctets) return null;
    return {
      observed: `reports success; the kernel credited ${creditedBits} of ${8 * input.seedOctets} bits`,
      observedRule: rule,
      required: 'report failure',
      requiredRule: 'random(4): only RNDADDENTROPY that returns 0 credits, and only entropy_count bits',
      steps: trace,
    };
  },
  notation: (input) =>
    `/dev/random: ${input.device}; seed of ${input.seedOctets} octets; generation ${input.generation}`,
  observe(subject, input) {
    const { reply, rule, trace } = run(subject, input);
    const said = reply === null ? 'no reply' : `ok ${reply.ok}, reseeded_rng ${reply.reseeded_rng}`;
    return `${trace.join(', ')}; ${said}  [${rule}]`;
  },
});
