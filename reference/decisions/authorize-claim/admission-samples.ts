/** Claims and requests for the tests beside it: one author, one claim, and what a refusal looks like. */
import { type AuthorizeClaimConfig, authorizeClaim } from './authorize-claim.ts';

export const config: AuthorizeClaimConfig = {
  controller: 'controller',
  systemSecrets: ['mitos-ca', '*-sandbox-token', 'sandbox-*'],
  maxSecrets: 3,
  reviewDeadlineMs: 2500,
};

export const kind = { group: 'mitos.run', version: 'v1alpha1', kind: 'SandboxClaim' };

export const resource = { group: 'mitos.run', version: 'v1alpha1', resource: 'sandboxclaims' };

export const userInfo = { username: 'alice', uid: 'uid-alice', groups: ['dev'], extra: { scopes: ['x'] } };

export type Fields = Readonly<Record<string, unknown>>;

export const claimOf = (spec: unknown, metadata: unknown = {}, more: Fields = {}) => ({
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'SandboxClaim',
  metadata: { namespace: 'team-a', name: 'claim', ...(metadata as object) },
  spec,
  ...more,
});

export const requestOf = (fields: Fields = {}) => ({
  uid: 'uid-request',
  kind,
  resource,
  namespace: 'team-a',
  name: 'claim',
  operation: 'CREATE',
  userInfo,
  object: claimOf({ serviceAccount: 'builder' }),
  oldObject: null,
  ...fields,
});

export const reviewOf = (fields: Fields = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: requestOf(fields),
});

export const ask = (review: unknown) => authorizeClaim(config, { review, answers: null });

export const denied = (code: number, rule: string, message: string) => ({
  verdict: 'deny',
  questions: [],
  deadlineMs: null,
  stamp: null,
  response: { allowed: false, code, message },
  rule,
});

export const allowed = (rule: string) => ({
  verdict: 'allow',
  questions: [],
  deadlineMs: null,
  stamp: null,
  response: { allowed: true, code: 200, message: '' },
  rule,
});
