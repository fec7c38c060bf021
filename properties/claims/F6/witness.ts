/** F6.witness: a fork passes the gate on a witness of its own, in time, or not at all. */
import * as fc from 'fast-check';
import { crowd } from '../../arbitraries/reseed.ts';
import { schedule, schedulerOf } from '../../arbitraries/schedules.ts';
import { type Crowd, type GatedCrowd, runCrowd } from '../../models/gate-crowd.ts';
import { type GateInput, runGate } from '../../models/gate-run.ts';
import { KernelGenerator } from '../../models/kernel-generator.ts';
import { runReport } from '../../models/report-run.ts';
import { WitnessStore } from '../../models/witness-store.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import type { ReseedVector } from '../../vectors/generate/reseed-responses.ts';
import { loadCorpus } from '../../vectors/load-corpus.ts';
import { defineClaim } from '../claim.ts';

type WitnessCase =
  | { readonly crowd: Crowd; readonly schedule: number }
  /** One response of the corpus, by itself. */
  | { readonly vector: ReseedVector };

const controlConfig = { deadlineMs: 1000, requireWitness: true };

/** The subject's own agent, on a kernel that works, must pass its own gate. */
function honestForkPasses(subject: Subject): string | null {
  const asked = { generation: 7, nonce: 'aa'.repeat(32) };
  const kernel = KernelGenerator.fork('template', 1, 'jitter', 'working');
  const { reply } = runReport(subject, { ...asked, seed: '5e'.repeat(32) }, kernel);
  const input: GateInput = {
    request: { snapshot: 'sha256:template', ...asked },
    response: JSON.stringify(reply),
    elapsedMs: controlConfig.deadlineMs,
    witness: kernel.witness('template').changed ? kernel.witness('template') : null,
  };
  const { verdict, rule } = runGate(subject, controlConfig, input, new WitnessStore(16));
  return verdict === 'admit' ? null : `an honest fork is refused: ${rule}`;
}

function judgeCrowd({ decided, steps }: GatedCrowd): Violation | null {
  const seen = new Map<string, number>();
  for (const { index, guest, answer, admitted, rule, insertion } of decided) {
    if (!admitted) continue;
    const twin = answer.marks.map((mark) => seen.get(mark)).find((fork) => fork !== undefined);
    const wrong =
      answer.wrong ??
      (twin === undefined ? null : `it shows the generator of fork ${twin}`) ??
      (insertion === null || insertion === 'inserted' ? null : `the store says ${insertion}`);
    if (wrong !== null) {
      return {
        observed: `fork ${index} (${guest.kind}) is admitted`,
        observedRule: rule,
        required: `refuse: ${wrong}`,
        requiredRule: 'findings.md F6 Reference: diverged or refused',
        steps,
      };
    }
    for (const mark of answer.marks) seen.set(mark, index);
  }
  return null;
}

/** What a subject says of one response in the end. */
function judgeVector(subject: Subject, { config, input, store }: ReseedVector) {
  const gate = subject.decide('reseed-gate', config);
  const first = gate({ ...input, insertion: null });
  return first.verdict === 'insert' ? gate({ ...input, insertion: store }) : first;
}

function vectorViolation(subject: Subject, vector: ReseedVector): Violation | null {
  const { verdict, rule } = judgeVector(subject, vector);
  if (verdict === 'refuse') return null;
  const required = `refuse: ${vector.rule}`;
  return { observed: verdict, observedRule: rule, required, requiredRule: vector.source };
}

function describeVector({ id, comment, input: { request, response, elapsedMs } }: ReseedVector): string {
  const line =
    response === null ? 'no response' : `${response.slice(0, 300)}${response.length > 300 ? '…' : ''}`;
  return `${id}: ${comment}; generation ${request.generation}, after ${elapsedMs} ms: ${line}`;
}

function describe({ hostWitness, generation, capacity, failingInsert, crashAfter, forks }: Crowd): string {
  const host = [
    hostWitness ? 'VMM reads generators' : 'no host-side witness',
    ...(capacity < 64 ? [`store of ${capacity} keys`] : []),
    ...(failingInsert === null ? [] : [`insert ${failingInsert} fails`]),
    ...(crashAfter === null ? [] : [`kill -9 after ${crashAfter} steps`]),
  ].join(', ');
  const guests = forks.map(({ guest: { kind, ...how }, elapsedMs }, index) => {
    const detail = Object.values(how).join(' ');
    return `generation ${generation + index}: ${detail === '' ? kind : `${kind} (${detail})`} after ${elapsedMs} ms`;
  });
  return [host, ...guests].join('; ');
}

export const claim = defineClaim<WitnessCase>({
  id: 'F6.witness',
  statement: 'A missing, late, malformed, stale, replayed or duplicate witness is refused.',
  source: 'findings.md F6 Reference; the contract of notify_forked',
  blindSpot:
    'Without the host-side witness a guest that did not reseed and invents its sample, or mixes the nonce into it, looks honest: such guests are judged only where the VMM reads the generator.',
  decisions: ['reseed-report', 'reseed-gate'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  async: true,
  weight: 0.3,
  arbitrary: () => fc.record({ crowd, schedule }),
  examples: () =>
    loadCorpus<ReseedVector>('reseed-responses')
      .vectors.filter(({ verdict }) => verdict === 'refuse')
      .map((vector) => ({ vector })),
  control: honestForkPasses,
  async judge(subject, input) {
    if ('vector' in input) return vectorViolation(subject, input.vector);
    return judgeCrowd(await runCrowd(subject, input.crowd, schedulerOf(input.schedule)));
  },
  notation: (input) =>
    'vector' in input ? describeVector(input.vector) : `${describe(input.crowd)}; schedule ${input.schedule}`,
  async observe(subject, input) {
    if ('vector' in input) {
      const { verdict, rule } = judgeVector(subject, input.vector);
      return `${verdict}  [${rule}]`;
    }
    const { decided } = await runCrowd(subject, input.crowd, schedulerOf(input.schedule));
    return decided
      .map(({ index, admitted, rule }) => `fork ${index} ${admitted ? 'admitted' : 'refused'}  [${rule}]`)
      .join('; ');
  },
});
