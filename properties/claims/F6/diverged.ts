/** F6.diverged: credited is not diverged. */
import * as fc from 'fast-check';
import { clock, device, octetsOf } from '../../arbitraries/reseed.ts';
import { type GateConfig, runGate } from '../../models/gate-run.ts';
import { type Device, type ForkClock, KernelGenerator } from '../../models/kernel-generator.ts';
import { runReport } from '../../models/report-run.ts';
import { WitnessStore } from '../../models/witness-store.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

interface Sibling {
  readonly device: Device;
  /** The host's source failed: this fork gets the first one's seed. */
  readonly repeatedSeed: boolean;
}

interface DivergedCase {
  readonly clock: ForkClock;
  /** The VMM reads the generator of each fork. */
  readonly hostWitness: boolean;
  readonly siblings: readonly Sibling[];
}

/** Objects of their own each, so that a subject binds twice at most. */
const withWitness: GateConfig = { deadlineMs: 1000, requireWitness: true };
const withoutWitness: GateConfig = { deadlineMs: 1000, requireWitness: false };
const snapshot = 'sha256:template';
/** Reads compared per fork: siblings may be some draws apart. */
const readsPerFork = 3;

interface Fork {
  readonly index: number;
  readonly admitted: boolean;
  readonly rule: string;
  readonly trace: readonly string[];
  readonly reads: readonly string[];
}

function run(subject: Subject, input: DivergedCase): Fork[] {
  const store = new WitnessStore(64);
  const config = input.hostWitness ? withWitness : withoutWitness;
  return input.siblings.map((sibling, index) => {
    const kernel = KernelGenerator.fork(snapshot, index, input.clock, sibling.device);
    const asked = { generation: index + 1, nonce: octetsOf(`nonce ${index}`) };
    const seed = octetsOf(`seed ${sibling.repeatedSeed ? 0 : index}`);
    const { reply, trace } = runReport(subject, { ...asked, seed }, kernel);
    const witness = input.hostWitness ? kernel.witness(snapshot) : null;
    const response = reply === null ? null : JSON.stringify(reply);
    const gated = { request: { snapshot, ...asked }, response, elapsedMs: 5, witness };
    const { verdict, rule } = runGate(subject, config, gated, store);
    const admitted = verdict === 'admit';
    const reads = admitted ? Array.from({ length: readsPerFork }, () => kernel.read()) : [];
    return { index, admitted, rule, trace, reads };
  });
}

function judgeForks(forks: readonly Fork[]): Violation | null {
  const seen = new Map<string, Fork>();
  for (const fork of forks) {
    for (const read of fork.reads) {
      const twin = seen.get(read);
      if (twin !== undefined && twin !== fork) {
        const what = `forks ${twin.index} and ${fork.index} both read ${read.slice(0, 16)}… from /dev/urandom`;
        return shared(fork, what);
      }
      seen.set(read, fork);
    }
  }
  return null;
}

function shared(fork: Fork, observed: string): Violation {
  return {
    observed,
    observedRule: fork.rule,
    required: 'refuse the fork, or diverge',
    requiredRule: 'facts.md: only a fresh credited seed and RNDRESEEDCRNG make siblings differ',
    steps: fork.trace,
  };
}

const sibling = fc.record({
  device: fc.oneof({ weight: 2, arbitrary: fc.constant<Device>('working') }, device),
  repeatedSeed: fc.oneof({ weight: 2, arbitrary: fc.constant(false) }, fc.boolean()),
});

export const claim = defineClaim<DivergedCase>({
  id: 'F6.diverged',
  statement:
    'Credited but not diverged is refused: no two admitted forks of one snapshot ever share random output.',
  source: 'findings.md F6 Residual; facts.md, the kernel’s generator after a fork',
  blindSpot:
    'The generator is a model of facts.md: per-CPU keys, the 60-second reseed and vmgenid are not in it. Without a host-side witness a guest that reports another sample than it drew is seen by F6.witness only.',
  decisions: ['reseed-report', 'reseed-gate'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.4,
  arbitrary: () =>
    fc.record({
      clock,
      hostWitness: fc.boolean(),
      siblings: fc.array(sibling, { minLength: 2, maxLength: 3 }),
    }),
  control(subject) {
    const siblings = [0, 1].map(() => ({ device: 'working' as const, repeatedSeed: false }));
    const forks = run(subject, { clock: 'jitter', hostWitness: true, siblings });
    const refused = forks.find(({ admitted }) => !admitted);
    return refused === undefined ? null : `an honest fork with a fresh seed is refused: ${refused.rule}`;
  },
  judge: (subject, input) => judgeForks(run(subject, input)),
  notation: ({ clock: ticks, hostWitness, siblings }) =>
    [
      `${ticks} clock, ${hostWitness ? 'with' : 'without'} host-side witness`,
      ...siblings.map(
        ({ device: at, repeatedSeed }, index) =>
          `fork ${index}: /dev/random ${at}, ${repeatedSeed ? 'the seed of fork 0' : 'a fresh seed'}`,
      ),
    ].join('; '),
  observe(subject, input) {
    return run(subject, input)
      .map(({ index, admitted, rule, reads }) => {
        const read = admitted ? `admitted, reads ${reads[0]?.slice(0, 16)}…` : 'refused';
        return `fork ${index} ${read}  [${rule}]`;
      })
      .join('; ');
  },
});
