/**
 * One resume or capture: asks the gate, lets the model's authorizer answer what it wants reviewed, asks
 * again. Between the two the world goes on.
 */
import type { OutputOf } from '../protocol/decision.ts';
import type { resumeGate } from '../protocol/resume-gate.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Answer, GateInput, MemoryWorld, Right } from './memory-world.ts';

export type GateOutput = OutputOf<typeof resumeGate>;
type Review = NonNullable<GateOutput['reviews']>[number];

/** One object: bindings are cached by its identity. */
export const gateConfig = { deadlineMs: 3000 };

/** What comes back for one review instead of the plain answer; the answer is what the authorizer says. */
export const answerFaults = {
  'allowed beside denied': ({ review }) => ({ review, status: { allowed: true, denied: true } }),
  'allowed beside an evaluation error': ({ review }) => ({
    review,
    status: { allowed: true, evaluationError: 'webhook authorizer: connection refused' },
  }),
  'denied is no boolean': ({ review }) => ({ review, status: { allowed: true, denied: 'true' } }),
  'allowed is text': ({ review }) => ({ review, status: { allowed: 'true' } }),
  'allowed is 1': ({ review }) => ({ review, status: { allowed: 1 } }),
  'no status': ({ review }) => ({ review }),
  'status is null': ({ review }) => ({ review, status: null }),
  'status is a list': ({ review }) => ({ review, status: [{ allowed: true }] }),
  'status is empty': ({ review }) => ({ review, status: {} }),
  'a time-out': ({ review }) => ({ review, error: 'deadline exceeded' }),
  'an error beside a yes': ({ review, status }) => ({ review, status, error: 'connection reset' }),
  'not allowed': ({ review }) => ({ review, status: { allowed: false } }),
  'the answer to nothing': ({ status }) => ({ review: null, status }),
  'the answer to another user’s review': ({ review, status }) => ({
    review: { ...(review as Review), user: 'admin' },
    status,
  }),
  'the answer for another name': ({ review, status }) => ({ review: renamed(review as Review), status }),
} as const satisfies Record<string, (answer: Answer) => Answer>;

function renamed(review: Review): Review {
  return { ...review, resourceAttributes: { ...review.resourceAttributes, name: 'own' } };
}

export type AnswerFault = keyof typeof answerFaults;

/** What goes wrong with all answers at once. */
export const listFaults = {
  'no answers': () => [],
  'the first answer alone': (answers) => answers.slice(0, 1),
  'an answer too many': (answers) => [...answers, ...answers.slice(0, 1)],
  'in reverse order': (answers) => answers.toReversed(),
  'the first answer twice': (answers) => answers.map(() => answers[0] ?? { review: null }),
} as const satisfies Record<string, (answers: readonly Answer[]) => readonly Answer[]>;

export type ListFault = keyof typeof listFaults;

export type Trouble =
  | { readonly kind: 'answer'; readonly right: Right; readonly fault: AnswerFault }
  | { readonly kind: 'list'; readonly fault: ListFault }
  | { readonly kind: 'late'; readonly byMs: number };

export interface Attempt {
  readonly operation: GateInput['operation'];
  readonly trouble: Trouble | null;
  /** Happens after the reviews were answered, before the gate hears of it. */
  between(world: MemoryWorld): void;
}

export interface Attempted {
  readonly output: GateOutput;
  /** What the last question was asked with. */
  readonly input: GateInput;
  /** The trouble came to bear. */
  readonly troubled: boolean;
  readonly steps: readonly string[];
}

export function attempt(
  subject: Subject,
  world: MemoryWorld,
  { operation, trouble, between }: Attempt,
): Attempted {
  const gate = subject.decide('resume-gate', gateConfig);
  const first = world.input(operation);
  const output = gate(first);
  const steps = [...stepsOf(operation, output)];
  if (output.verdict !== 'review') return { output, input: first, troubled: false, steps };
  const plain = (output.reviews ?? []).map((review) => answerTo(world, review));
  const answers = troubledAnswers(plain, trouble);
  const changed = JSON.stringify(answers) !== JSON.stringify(plain) || trouble?.kind === 'late';
  const elapsedMs = trouble?.kind === 'late' ? gateConfig.deadlineMs + trouble.byMs : gateConfig.deadlineMs;
  between(world);
  const input = { ...world.input(operation), answers: [...answers], elapsedMs };
  const last = gate(input);
  steps.push(...answers.map(answerText), ...stepsOf(operation, last));
  return { output: last, input, troubled: changed, steps };
}

function troubledAnswers(plain: readonly Answer[], trouble: Trouble | null): readonly Answer[] {
  if (trouble?.kind === 'list') return listFaults[trouble.fault](plain);
  if (trouble?.kind !== 'answer') return plain;
  return plain.map((answer) => {
    const { verb } = (answer.review as Review).resourceAttributes;
    return verb === trouble.right ? answerFaults[trouble.fault](answer) : answer;
  });
}

/** RBAC's rules here name two resources; whatever else is asked, nobody may. */
function answerTo(world: MemoryWorld, review: Review): Answer {
  const { namespace, verb, group, resource, subresource, name } = review.resourceAttributes;
  const what = [group, resource, subresource].join('/');
  const ruled =
    (verb === 'impersonate' && what === '/serviceaccounts/') ||
    (verb === 'resume' && what === 'mitos.run/workspaces/memory');
  const { user: username, uid, groups, extra } = review;
  const allowed = ruled && world.may({ username, uid, groups, extra }, verb, namespace, name);
  return { review, status: { allowed, ...(allowed ? { reason: 'RBAC: allowed' } : {}) } };
}

/** One line for the verdict, one for each question. */
function stepsOf(operation: string, { verdict, rule, reviews = [] }: GateOutput): readonly string[] {
  return [`${operation}: ${verdict} [${rule}]`, ...reviews.map((one) => `  asks: ${reviewText(one)}`)];
}

export function reviewText({ user, groups, extra, resourceAttributes: what }: Review): string {
  const resource = [what.resource, what.subresource].filter((part) => part !== '').join('/');
  const dotted = what.group === '' ? resource : `${resource}.${what.group}`;
  const scopes = Object.keys(extra).length === 0 ? '' : ` ${JSON.stringify(extra)}`;
  return `may ${user} [${groups.join(', ')}]${scopes} ${what.verb} ${dotted} ${what.namespace}/${what.name}?`;
}

function answerText({ review, status, error }: Answer): string {
  const verb = (review as Review | null)?.resourceAttributes?.verb ?? 'nothing';
  const said = error === undefined ? JSON.stringify(status) : `error: ${String(error)}`;
  return `  ${verb}: ${said ?? 'no answer'}`;
}
