/**
 * What the API server is asked about an author, and what its answers prove.
 * Invariant: a question is open until every answer to it is good; silence, errors and anything that is not
 * plainly `allowed: true` close it as denied.
 */
import type { Author, Principal } from '#reference/contract/admission.ts';
import { readAccessStatus } from '../access-status.ts';
import { fieldOf, listOf, textOf } from '../json-values.ts';
import type { Asked } from './claim-spec.ts';
import { Refusal } from './refusal.ts';

export interface AccessReview {
  readonly id: string;
  readonly kind: 'SubjectAccessReview';
  /** As it stands in a SubjectAccessReview of authorization.k8s.io/v1. */
  readonly spec: {
    readonly user: string;
    readonly uid: string;
    readonly groups: readonly string[];
    readonly extra: Readonly<Record<string, readonly string[]>>;
    readonly resourceAttributes: {
      readonly namespace: string;
      readonly verb: 'impersonate' | 'get';
      readonly group: '';
      readonly resource: 'serviceaccounts' | 'secrets';
      readonly name: string;
    };
  };
}

export interface AccountLookup {
  readonly id: string;
  readonly kind: 'ServiceAccount';
  readonly namespace: string;
  readonly name: string;
}

export type Question = AccessReview | AccountLookup;

/** `not-found`: the API server says that there is no such object. */
export interface Answer {
  readonly id: string;
  readonly result: 'answered' | 'not-found' | 'failed' | 'timed-out';
  /** The status of the SubjectAccessReview, or the ServiceAccount, as it came. */
  readonly body?: unknown;
}

/** What the new spec asks for, and what the claim holds under its former one. */
export interface Entitlement {
  readonly asked: Asked;
  /** Each once: the principal, and the one before when it is another. */
  readonly principals: readonly string[];
  readonly secrets: readonly string[];
}

export function questionsOf(author: Author, namespace: string, wanted: Entitlement): readonly Question[] {
  const { principal } = wanted.asked;
  const review = (
    verb: 'impersonate' | 'get',
    resource: 'serviceaccounts' | 'secrets',
    name: string,
  ): AccessReview => ({
    id: `${verb}:${name}`,
    kind: 'SubjectAccessReview',
    spec: {
      user: author.username,
      uid: author.uid,
      groups: author.groups,
      extra: author.extra,
      resourceAttributes: { namespace, verb, group: '', resource, name },
    },
  });
  const account: readonly AccountLookup[] =
    principal === null
      ? []
      : [{ id: `account:${principal}`, kind: 'ServiceAccount', namespace, name: principal }];
  return [
    ...wanted.principals.map((name) => review('impersonate', 'serviceaccounts', name)),
    ...account,
    ...wanted.secrets.map((name) => review('get', 'secrets', name)),
  ];
}

/** The principal by UID, null when none is asked for, or why one of the questions is not answered well. */
export function concludeFrom(
  questions: readonly Question[],
  answers: unknown,
): { readonly principal: Principal | null } | Refusal {
  const byId = new Map<unknown, unknown[]>();
  for (const answer of listOf(answers)) {
    const id = fieldOf(answer, 'id');
    const own = byId.get(id);
    if (own === undefined) byId.set(id, [answer]);
    else own.push(answer);
  }
  let principal: Principal | null = null;
  for (const question of questions) {
    const own = byId.get(question.id) ?? [undefined];
    for (const answer of own) {
      const why =
        question.kind === 'ServiceAccount' ? whyNoAccount(question, answer) : whyNoRight(question, answer);
      if (why !== null) return why;
      if (question.kind !== 'ServiceAccount') continue;
      const uid = textOf(fieldOf(fieldOf(fieldOf(answer, 'body'), 'metadata'), 'uid')) ?? '';
      principal = { namespace: question.namespace, name: question.name, uid };
    }
  }
  return { principal };
}

function whyNoRight({ spec }: AccessReview, answer: unknown): Refusal | null {
  const { verb, name } = spec.resourceAttributes;
  const field = verb === 'impersonate' ? 'spec.serviceAccount' : 'spec.secrets';
  const what = verb === 'impersonate' ? `impersonate service account "${name}"` : `get Secret "${name}"`;
  const unanswered = whyUnanswered(answer, field, `whether you may ${what}`);
  if (unanswered !== null) return unanswered;
  const status = readAccessStatus(fieldOf(answer, 'body'));
  if (status === 'allowed') return null;
  return new Refusal(
    403,
    status === 'ambiguous' ? 'review: ambiguous' : `review: may not ${verb}`,
    `${field}: you may not ${what}, in the namespace of this claim; have "${verb}" granted to you, or leave it out`,
  );
}

function whyNoAccount({ namespace, name }: AccountLookup, answer: unknown): Refusal | null {
  const missing = new Refusal(
    422,
    'principal: no such service account',
    `spec.serviceAccount: there is no service account "${name}" in the namespace of this claim; create it first`,
  );
  if (fieldOf(answer, 'result') === 'not-found') return missing;
  const unanswered = whyUnanswered(answer, 'spec.serviceAccount', 'which service account it is');
  if (unanswered !== null) return unanswered;
  const metadata = fieldOf(fieldOf(answer, 'body'), 'metadata');
  const leaving = fieldOf(metadata, 'deletionTimestamp');
  const found =
    fieldOf(metadata, 'namespace') === namespace &&
    fieldOf(metadata, 'name') === name &&
    textOf(fieldOf(metadata, 'uid')) !== null &&
    (leaving === undefined || leaving === null);
  return found ? null : missing;
}

function whyUnanswered(answer: unknown, field: string, question: string): Refusal | null {
  const result = fieldOf(answer, 'result');
  if (result === 'answered') return null;
  if (result === 'timed-out') {
    return new Refusal(
      504,
      'review: timed out',
      `${field}: the API server did not say in time ${question}; try again`,
    );
  }
  return new Refusal(
    500,
    'review: failed',
    `${field}: the API server could not say ${question}; try again, and tell the operator if it lasts`,
  );
}
