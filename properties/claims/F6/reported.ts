/** F6.reported: the agent says that it diverged when it did, and shows it by a sample. */
import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { device, generation, octetsOf } from '../../arbitraries/reseed.ts';
import { type Device, KernelGenerator } from '../../models/kernel-generator.ts';
import { type Reply, runReport } from '../../models/report-run.ts';
import { modelProof } from '../../models/reseed-guest.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

interface ReportedCase {
  readonly device: Device;
  readonly generation: number;
}

interface Fork {
  readonly reply: Reply | null;
  readonly rule: string;
  readonly trace: readonly string[];
  readonly asked: { readonly generation: number; readonly nonce: string };
  /** What the kernel gave to the agent, and what it gives to the next process. */
  readonly drawn: string | undefined;
  readonly next: string;
}

/** One of two siblings under a deterministic clock: nothing but what is called makes them differ. */
function run(subject: Subject, input: ReportedCase, sibling: number): Fork {
  const kernel = KernelGenerator.fork('template', sibling, 'deterministic', input.device);
  const asked = { generation: input.generation, nonce: octetsOf(`nonce ${sibling}`) };
  const { reply, rule, trace } = runReport(subject, { ...asked, seed: octetsOf(`seed ${sibling}`) }, kernel);
  return { reply, rule, trace, asked, drawn: kernel.lastDrawn, next: kernel.read() };
}

function succeeded({ reply }: Fork): boolean {
  return reply !== null && (reply.ok || reply.reseeded_rng);
}

function judgeFork(fork: Fork, sibling: Fork): Violation | null {
  if (!succeeded(fork)) return null;
  const violation = (observed: string, requiredRule: string): Violation => ({
    observed,
    observedRule: fork.rule,
    required: 'report failure',
    requiredRule,
    steps: fork.trace,
  });
  if (fork.next === sibling.next) {
    return violation(
      `reports success; its sibling reads ${fork.next.slice(0, 16)}… too`,
      'facts.md: a ready generator is rekeyed by RNDRESEEDCRNG alone',
    );
  }
  const { sample, proof } = fork.reply ?? {};
  if (
    sample === undefined ||
    fork.drawn === undefined ||
    sample !== hash('sha256', Buffer.from(fork.drawn, 'hex'))
  ) {
    return violation(
      'the sample is not SHA-256 of what was drawn after the reseed',
      'findings.md F6: sample',
    );
  }
  if (proof !== modelProof(sample, fork.asked)) {
    return violation('the proof does not bind label, sample, generation and nonce', 'findings.md F6: proof');
  }
  return null;
}

export const claim = defineClaim<ReportedCase>({
  id: 'F6.reported',
  statement:
    'The agent reports success only when its fork has diverged: credited, reseeded, and shown by a sample that was drawn after both and is bound to nothing.',
  source: 'findings.md F6 Reference; facts.md, the kernel’s generator after a fork',
  decisions: ['reseed-report'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () => fc.record({ device, generation }),
  control(subject) {
    const { reply, rule } = run(subject, { device: 'working', generation: 7 }, 0);
    return reply?.ok === true ? null : `a working device is not reported as success: ${rule}`;
  },
  judge(subject, input) {
    const [fork, sibling] = [run(subject, input, 0), run(subject, input, 1)];
    return judgeFork(fork, sibling);
  },
  notation: (input) =>
    `two forks, deterministic clock, fresh seeds; /dev/random: ${input.device}; generation ${input.generation}`,
  observe(subject, input) {
    const fork = run(subject, input, 0);
    return `${fork.trace.join(', ')}; ${succeeded(fork) ? 'reports success' : 'reports failure'}  [${fork.rule}]`;
  },
});
