/**
 * One admission, as the webhook runs it: the decision, the questions it wants asked, the API server's
 * answers within its deadline, and the decision again.
 */
import type { authorizeClaim } from '../protocol/authorize-claim.ts';
import type { ConfigOf, OutputOf } from '../protocol/decision.ts';
import type { Subject } from '../subjects/subject.ts';
import { type AccessWorld, type Answer, answerTo, describeQuestion, type Question } from './access-world.ts';
import { controllerName } from './admission-review.ts';

export type Verdict = OutputOf<typeof authorizeClaim>;

/** One object: bindings are cached by its identity. */
export const admissionConfig: ConfigOf<typeof authorizeClaim> = {
  controller: controllerName,
  systemSecrets: ['mitos-ca', 'mitos-forkd-tls', '*-sandbox-token', 'sandbox-token-*'],
  maxSecrets: 4,
  reviewDeadlineMs: 3000,
};

/** What becomes of questions of one kind; of the others the API server says what is so. */
export interface Disturbance {
  readonly of: 'impersonate' | 'account' | 'get';
  /** `hangs`: no answer, ever; `lost`: nothing stands in the list of answers. */
  readonly how: 'failed' | 'timed-out' | 'not-found' | 'hangs' | 'lost' | 'answered';
  /** With `answered`: what comes instead. */
  readonly body?: unknown;
}

export interface AdmissionRun {
  /** `waits`: for a review without a deadline that never comes. */
  readonly outcome: 'allowed' | 'denied' | 'waits' | 'asks for ever';
  readonly asked: readonly Question[];
  readonly answers: readonly Answer[];
  readonly last: Verdict;
}

export function runAdmission(
  subject: Subject,
  review: unknown,
  world: AccessWorld,
  disturbance: Disturbance | null = null,
): AdmissionRun {
  const decide = subject.decide('authorize-claim', admissionConfig);
  const first = decide({ review, answers: null });
  if (first.verdict !== 'review') return ended(first, [], []);
  const answers: Answer[] = [];
  for (const question of first.questions) {
    if (disturbance?.how === 'lost' && disturbance.of === aboutOf(question)) continue;
    const answer = disturbed(world, question, disturbance);
    if (answer !== null) answers.push(answer);
    else if (first.deadlineMs === null)
      return { outcome: 'waits', asked: first.questions, answers, last: first };
    else answers.push({ id: question.id, result: 'timed-out' });
  }
  return ended(decide({ review, answers }), first.questions, answers);
}

function ended(last: Verdict, asked: readonly Question[], answers: readonly Answer[]): AdmissionRun {
  const outcomes = { allow: 'allowed', deny: 'denied', review: 'asks for ever' } as const;
  return { outcome: outcomes[last.verdict], asked, answers, last };
}

function disturbed(world: AccessWorld, question: Question, disturbance: Disturbance | null): Answer | null {
  if (disturbance === null || disturbance.of !== aboutOf(question)) return answerTo(world, question);
  const { how, body } = disturbance;
  if (how === 'hangs' || how === 'lost') return null;
  return how === 'answered' ? { id: question.id, result: how, body } : { id: question.id, result: how };
}

function aboutOf(question: Question): string {
  return question.kind === 'ServiceAccount' ? 'account' : question.spec.resourceAttributes.verb;
}

/** Several lines: the outcome, then each review with its answer. */
export function describeRun({ outcome, asked, answers, last }: AdmissionRun): string {
  const lines = [`${outcome}  [${last.rule}]`];
  for (const question of asked) {
    const answer = answers.find(({ id }) => id === question.id);
    const body = answer?.body === undefined ? '' : ` ${JSON.stringify(answer.body)}`;
    lines.push(`asked ${describeQuestion(question)}`);
    lines.push(`  → ${answer === undefined ? 'no answer' : `${answer.result}${body}`}`);
  }
  if (asked.length === 0) lines.push('nobody was asked');
  const { response, stamp } = last;
  if (response !== null && !response.allowed) lines.push(`response ${response.code}: ${response.message}`);
  if (stamp !== null) {
    const { principal, secrets } = stamp;
    const named =
      principal === null ? 'no principal' : `${principal.namespace}/${principal.name} ${principal.uid}`;
    lines.push(`stamped ${stamp.author.username}: ${named}; Secrets: ${secrets.join(', ') || 'none'}`);
  }
  return lines.join('\n');
}
