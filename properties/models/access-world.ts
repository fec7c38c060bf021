/**
 * Who may what, as RBAC holds it, and what an API server says when it is asked. The authorizer may read
 * scopes from `extra`, so that an author whose token is scoped down may less than his name alone.
 */

import type { authorizeClaim } from '../protocol/authorize-claim.ts';
import type { InputOf, OutputOf } from '../protocol/decision.ts';

export type Question = OutputOf<typeof authorizeClaim>['questions'][number];
export type Answer = NonNullable<InputOf<typeof authorizeClaim>['answers']>[number];

/** As the API server knows who sent a request. */
export interface Identity {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface Grant {
  /** `user:<name>` or `group:<name>`. */
  readonly to: string;
  readonly namespace: string;
  readonly verb: string;
  readonly resource: string;
  /** Resource names; `*` is a rule without any. */
  readonly names: readonly string[] | '*';
}

export interface AccessWorld {
  readonly grants: readonly Grant[];
  readonly accounts: readonly { readonly namespace: string; readonly name: string; readonly uid: string }[];
}

export interface Attributes {
  readonly namespace: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string;
}

/** A token that names scopes may what they say; `user:full` is everything. */
export const scopesKey = 'scopes.authorization.example.io';

export function permits(world: AccessWorld, who: Identity, wanted: Attributes): boolean {
  const scopes = Object.hasOwn(who.extra, scopesKey) ? who.extra[scopesKey] : undefined;
  if (scopes !== undefined && !scopes.includes('user:full')) return false;
  return wanted.group === '' && world.grants.some((grant) => isFor(grant, who) && covers(grant, wanted));
}

function isFor({ to }: Grant, { username, groups }: Identity): boolean {
  return to === `user:${username}` || groups.some((group) => to === `group:${group}`);
}

function covers({ namespace, verb, resource, names }: Grant, wanted: Attributes): boolean {
  return (
    namespace === wanted.namespace &&
    verb === wanted.verb &&
    resource === wanted.resource &&
    (names === '*' || names.includes(wanted.name))
  );
}

/** The honest answer to a question: what the API server itself would say. */
export function answerTo(world: AccessWorld, question: Question): Answer {
  const { id } = question;
  if (question.kind === 'ServiceAccount') {
    const { namespace, name } = question;
    const account = world.accounts.find((one) => one.namespace === namespace && one.name === name);
    if (account === undefined) return { id, result: 'not-found' };
    return { id, result: 'answered', body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account } };
  }
  const { user, uid, groups, extra, resourceAttributes } = question.spec;
  const allowed = permits(world, { username: user, uid, groups, extra }, resourceAttributes);
  const body = allowed ? { allowed, reason: 'RBAC: allowed by RoleBinding' } : { allowed };
  return { id, result: 'answered', body };
}

/** What is asked, about whom. */
export function describeQuestion(question: Question): string {
  if (question.kind === 'ServiceAccount') return `ServiceAccount ${question.namespace}/${question.name}`;
  const { user, uid, groups, extra, resourceAttributes: wanted } = question.spec;
  const about = describeIdentity({ username: user, uid, groups, extra });
  const name = /^[\w.-]+$/.test(wanted.name) ? wanted.name : JSON.stringify(wanted.name);
  return `SubjectAccessReview ${wanted.verb} ${wanted.resource} ${wanted.namespace}/${name} of ${about}`;
}

export function describeIdentity({ username, uid, groups, extra }: Identity): string {
  const more = Object.entries(extra).map(([key, values]) => `${key}=${values.join(',')}`);
  return `${username} (${[uid === '' ? 'no uid' : uid, ...groups, ...more].join('; ')})`;
}
