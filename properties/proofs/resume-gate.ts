/**
 * resume-gate serves or keeps memory only when every fact is right and every review is answered with a plain
 * yes in time, and then always: in every combination of a few wrong facts and answers.
 */
import { judgeMemory, type ResumeVerdict } from '#reference/decisions/resume-gate/resume-gate.ts';
import type { Answer, GateInput } from '../models/memory-world.ts';
import { reviewText } from '../models/resume-run.ts';
import { mutants } from '../mutants/resume-gate.ts';
import { mutantsNamed, type Proof } from './proof.ts';
import {
  author,
  memories,
  memory,
  memoryScope,
  principal,
  type ScopedMemory,
  workspace,
} from './scope/memory-scope.ts';

const deadlineMs = 3000;
const maxFaults = 3;

export const proof: Proof = {
  name: 'resume-gate',
  statement:
    'In every combination of the scope memory is resumed or captured exactly when nothing that matters to it is wrong and each review is ' +
    'answered with a plain yes in time; the reviews carry the author as he was admitted, and what is loaded or bound is what is recorded.',
  bounds: [memoryScope(maxFaults), 'each with every answer of a list, in time and late'],
  assumptions: [
    'Stamps are verified and records durable before the gate sees them.',
    'More wrong facts at once, and objects of other types, are not in the scope (F5.resume samples them).',
  ],
  mutants: mutantsNamed(mutants, [
    'principal-namespace-not-compared',
    'principal-uid-not-compared',
    'account-not-read-again',
    'terminating-account-accepted',
    'principal-of-binding-not-compared',
    'captured-under-changed-principal',
    'capture-without-principal',
    'captured-though-started-by-nobody',
    'stamp-not-required',
    'stamp-namespace-not-compared',
    'stamp-name-not-compared',
    'spec-hash-of-stamp-not-compared',
    'stamp-replayed',
    'checked-principal-not-compared',
    'impersonate-not-asked',
    'resume-verb-not-asked',
    'resume-review-without-extra',
    'resume-review-without-uid',
    'review-with-a-group-too-many',
    'resume-allowed-beside-denied',
    'resume-evaluation-error-ignored',
    'truthy-is-allowed',
    'error-beside-yes-ignored',
    'answer-to-another-question',
    'answers-to-spare-are-ignored',
    'late-answers-count',
    'revision-uid-not-compared',
    'unbound-head-trusted',
    'first-binding-counts',
    'workspace-of-binding-not-compared',
    'workspace-namespace-not-compared',
    'any-workspace-of-the-namespace',
    'head-of-status-not-compared',
    'head-namespace-not-compared',
    'memory-of-head-not-compared',
    'principal-of-head-not-compared',
  ]),
  async run({ scale, progress }) {
    const total = { cases: 0, served: 0 };
    const counts = () => ({ 'cases decided': total.cases, 'memories served or kept': total.served });
    for (const scoped of memories(scale === 'full' ? maxFaults : 1)) {
      for (const given of answersTo(scoped.operation)) {
        for (const elapsedMs of [deadlineMs, deadlineMs + 1]) {
          total.cases += 1;
          const trace = judge(scoped, given, elapsedMs, total);
          if (trace !== null) return { outcome: 'refuted', counts: counts(), trace };
        }
      }
      if (total.cases % 10_000 < 30) progress(counts());
    }
    return { outcome: 'proved', counts: counts() };
  },
};

type Operation = GateInput['operation'];
interface Given {
  readonly says: string;
  readonly answers: readonly Answer[] | null;
  readonly good: boolean;
}

/** What must be asked, and nothing else. */
function reviewsOf(operation: Operation): readonly NonNullable<unknown>[] {
  const { username: user, uid, groups, extra } = author;
  const review = (verb: string, group: string, resource: string, subresource: string, name: string) => ({
    user,
    uid,
    groups,
    extra,
    resourceAttributes: { namespace: principal.namespace, verb, group, resource, subresource, name },
  });
  const impersonate = review('impersonate', '', 'serviceaccounts', '', principal.name);
  if (operation === 'capture') return [impersonate];
  return [impersonate, review('resume', 'mitos.run', 'workspaces', 'memory', workspace.name)];
}

const doubts: Readonly<Record<string, Partial<Answer>>> = {
  'is no': { status: { allowed: false } },
  'is yes beside denied': { status: { allowed: true, denied: true } },
  'is yes beside an evaluation error': { status: { allowed: true, evaluationError: 'refused' } },
  'is "true"': { status: { allowed: 'true' } },
  'is nothing': { status: null },
  'is yes beside an error': { error: 'connection reset' },
  'is to another question': { review: { ...reviewsOf('capture')[0], user: 'admin' } },
};

const known = new Map<Operation, readonly Given[]>();

function answersTo(operation: Operation): readonly Given[] {
  const before = known.get(operation);
  if (before !== undefined) return before;
  const plain: readonly Answer[] = reviewsOf(operation).map((review) => ({
    review,
    status: { allowed: true },
  }));
  const bad = (says: string, answers: readonly Answer[]): Given => ({ says, answers, good: false });
  const all: readonly Given[] = [
    { says: 'nobody was asked', answers: null, good: true },
    { says: 'yes to all', answers: plain, good: true },
    bad('no answers', []),
    bad('an answer too many', [...plain, ...plain.slice(0, 1)]),
    ...(plain.length > 1
      ? [bad('the first answer alone', plain.slice(0, 1)), bad('in reverse', plain.toReversed())]
      : []),
    ...plain.flatMap((_, index) =>
      Object.entries(doubts).map(([says, doubt]) =>
        bad(
          `answer ${index + 1} ${says}`,
          plain.map((answer, at) => (at === index ? { ...answer, ...doubt } : answer)),
        ),
      ),
    ),
  ];
  known.set(operation, all);
  return all;
}

function judge(
  { operation, facts, faults, wrong }: ScopedMemory,
  { says, answers, good }: Given,
  elapsedMs: number,
  total: { served: number },
): string[] | null {
  const decided = decide({ operation, ...facts, answers, elapsedMs });
  const late = answers !== null && elapsedMs > deadlineMs;
  const required =
    wrong || !good || late ? { verdict: 'refuse' } : rightVerdict(operation, facts, answers === null);
  if (decided.verdict === 'resume' || decided.verdict === 'capture') total.served += 1;
  const { rule, ...without } = decided;
  const right = decided.verdict === 'refuse' ? required.verdict === 'refuse' : same(without, required);
  if (right) return null;
  return [
    `operation  ${operation}`,
    `facts      ${faults.join('; ') || 'all right'}`,
    `answers    ${says}, after ${elapsedMs} of ${deadlineMs} ms`,
    `reference  ${textOf(without)}  [${rule}]`,
    `oracle     ${textOf(required)}`,
  ];
}

function decide(
  input: Parameters<typeof judgeMemory>[1],
): ResumeVerdict | { verdict: 'throws'; rule: string } {
  try {
    return judgeMemory({ deadlineMs }, input);
  } catch (error) {
    return { verdict: 'throws', rule: String(error) };
  }
}

function rightVerdict(
  operation: Operation,
  facts: ScopedMemory['facts'],
  ask: boolean,
): { readonly verdict: string } {
  if (ask) return { verdict: 'review', ...{ reviews: reviewsOf(operation) } };
  if (operation === 'resume') return { verdict: 'resume', ...{ memory } };
  return { verdict: 'capture', ...{ binding: { workspace: facts.workspace?.metadata, principal } } };
}

/** A verdict in a line: a review by what it asks. */
function textOf({ verdict, ...more }: { readonly verdict: string; readonly reviews?: unknown }): string {
  const { reviews, ...rest } = more;
  if (reviews === undefined)
    return Object.keys(rest).length === 0 ? verdict : `${verdict} ${JSON.stringify(rest)}`;
  return `${verdict}: ${(reviews as Parameters<typeof reviewText>[0][]).map(reviewText).join(' ')}`;
}

/** As JSON, whatever the order of keys. */
function same(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other;
  const [mine, theirs] = [Object.entries(one), new Map(Object.entries(other))];
  return (
    mine.length === theirs.size &&
    mine.every(([key, value]) => theirs.has(key) && same(value, theirs.get(key)))
  );
}
