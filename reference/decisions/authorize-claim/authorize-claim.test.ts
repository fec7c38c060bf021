/** Admission asks about what a spec names, believes nothing but a plain yes, and never throws. */
import { describe, expect, test } from 'vitest';
import type { Answer, Question } from './access-questions.ts';
import { type AuthorizeClaimConfig, authorizeClaim } from './authorize-claim.ts';

const config: AuthorizeClaimConfig = {
  controller: 'system:serviceaccount:mitos-system:mitos-controller',
  systemSecrets: ['mitos-ca', '*-sandbox-token', 'sandbox-token-*'],
  maxSecrets: 3,
  reviewDeadlineMs: 2500,
};
const kind = { group: 'mitos.run', version: 'v1alpha1', kind: 'SandboxClaim' };
const resource = { group: 'mitos.run', version: 'v1alpha1', resource: 'sandboxclaims' };
const userInfo = { username: 'alice', uid: 'uid-alice', groups: ['dev'], extra: { scopes: ['x'] } };
const spec = { poolRef: 'pool', serviceAccount: 'builder', secrets: [{ name: 'db', secretRef: 'db' }] };

function claimOf(ownSpec: unknown, metadata: object = {}) {
  const apiVersion = 'mitos.run/v1alpha1';
  return {
    apiVersion,
    kind: kind.kind,
    metadata: { namespace: 'team-a', name: 'claim', ...metadata },
    spec: ownSpec,
  };
}

function reviewOf(fields: Readonly<Record<string, unknown>> = {}) {
  const request = {
    uid: 'uid-request',
    kind,
    resource,
    namespace: 'team-a',
    name: 'claim',
    operation: 'CREATE',
    userInfo,
    object: claimOf(spec),
    oldObject: null,
    ...fields,
  };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
}

const ask = (review: unknown) => authorizeClaim(config, { review, answers: null });

function yes(question: Question): Answer {
  const { id } = question;
  if (question.kind === 'SubjectAccessReview') return { id, result: 'answered', body: { allowed: true } };
  const metadata = { namespace: question.namespace, name: question.name, uid: 'uid-builder' };
  return { id, result: 'answered', body: { metadata } };
}

function conclude(review: unknown, change: (answers: Answer[]) => unknown = (answers) => answers) {
  return authorizeClaim(config, { review, answers: change(ask(review).questions.map(yes)) });
}

describe('the questions', () => {
  test('always are impersonate, the account, then each Secret, with the user exactly as he came', () => {
    const { verdict, questions, deadlineMs, response, stamp } = ask(reviewOf());
    const about = { user: 'alice', uid: 'uid-alice', groups: ['dev'], extra: { scopes: ['x'] } };
    const attributes = (verb: string, of: string, name: string) => ({
      ...about,
      resourceAttributes: { namespace: 'team-a', verb, group: '', resource: of, name },
    });
    expect({ verdict, deadlineMs, response, stamp }).toEqual({
      verdict: 'review',
      deadlineMs: 2500,
      response: null,
      stamp: null,
    });
    expect(questions).toEqual([
      {
        id: 'impersonate:builder',
        kind: 'SubjectAccessReview',
        spec: attributes('impersonate', 'serviceaccounts', 'builder'),
      },
      { id: 'account:builder', kind: 'ServiceAccount', namespace: 'team-a', name: 'builder' },
      { id: 'get:db', kind: 'SubjectAccessReview', spec: attributes('get', 'secrets', 'db') },
    ]);
  });

  test('always cover what the claim held before', () => {
    const before = { ...spec, serviceAccount: 'deployer', secrets: [{ name: 'k', secretRef: 'api-key' }] };
    const review = reviewOf({ operation: 'UPDATE', oldObject: claimOf(before) });
    expect(ask(review).questions.map(({ id }) => id)).toEqual([
      'impersonate:builder',
      'impersonate:deployer',
      'account:builder',
      'get:api-key',
      'get:db',
    ]);
  });

  test('never concern what no admission can have granted, so that an old spec can be mended', () => {
    const before = { serviceAccount: '../*', secrets: [{ secretRef: 'mitos-ca' }, { secretRef: 'db' }] };
    const mended = claimOf({ poolRef: 'pool' });
    const review = reviewOf({ operation: 'UPDATE', object: mended, oldObject: claimOf(before) });
    expect(ask(review).questions.map(({ id }) => id)).toEqual(['get:db']);
  });

  test('are bounded over both specs together', () => {
    const listed = (names: readonly string[]) => ({ secrets: names.map((secretRef) => ({ secretRef })) });
    const review = reviewOf({
      operation: 'UPDATE',
      object: claimOf(listed(['a', 'b'])),
      oldObject: claimOf(listed(['c', 'd'])),
    });
    expect(ask(review)).toMatchObject({ verdict: 'deny', response: { code: 422 } });
  });
});

describe('the conclusion', () => {
  test('stamps author, claim, principal by UID, Secrets and the hash of the spec', () => {
    const { verdict, stamp, response } = conclude(reviewOf());
    expect(verdict).toBe('allow');
    expect(response).toEqual({ allowed: true, code: 200, message: '' });
    expect(stamp).toEqual({
      author: userInfo,
      namespace: 'team-a',
      name: 'claim',
      principal: { namespace: 'team-a', name: 'builder', uid: 'uid-builder' },
      secrets: ['db'],
      // sha256sum of {"poolRef":"pool","secrets":[{"name":"db","secretRef":"db"}],"serviceAccount":"builder"}
      specHash: '360b2487666123d7597b1c2d7c36aea41298f4e67ba042e9d8df37ebaec5cbb9',
    });
  });

  test.each([
    ['no list', () => ({})],
    ['an empty list', () => []],
    ['one answer missing', (answers: Answer[]) => answers.slice(0, 2)],
    ['answers of other ids', (answers: Answer[]) => answers.map((one) => ({ ...one, id: `${one.id} ` }))],
    [
      'a second answer that says no',
      (answers: Answer[]) => [...answers, { ...answers[2], body: { allowed: false } }],
    ],
    ['nulls', (answers: Answer[]) => answers.map(() => null)],
    ['a result that nobody knows', (answers: Answer[]) => answers.map((one) => ({ ...one, result: 'ok' }))],
    [
      'a Secret that is "not found"',
      (answers: Answer[]) => answers.map((one) => ({ ...one, result: 'not-found' })),
    ],
  ])('is never allow from %s', (_says, change) => {
    expect(conclude(reviewOf(), change)).toMatchObject({ verdict: 'deny', stamp: null });
  });

  test('always names the field and the remedy, and tells failures from refusals', () => {
    const failed = (result: Answer['result'], body?: unknown) =>
      conclude(reviewOf(), (answers) =>
        answers.map((one) => (one.id === 'get:db' ? { id: one.id, result, body } : one)),
      ).response;
    expect(failed('timed-out')).toMatchObject({ allowed: false, code: 504 });
    expect(failed('failed')).toMatchObject({ allowed: false, code: 500 });
    expect(failed('answered', { allowed: false })).toEqual({
      allowed: false,
      code: 403,
      message:
        'spec.secrets: you may not get Secret "db", in the namespace of this claim; have "get" granted to you, or leave it out',
    });
  });
});

describe('a request', () => {
  test('of another kind, version or resource, or without uid, is always denied by name', () => {
    const bad = [
      { ...reviewOf(), apiVersion: 'admission.k8s.io/v1beta1' },
      { ...reviewOf(), kind: 'Status' },
      reviewOf({ uid: 7 }),
      reviewOf({ kind: { ...kind, version: 'v1' } }),
      reviewOf({ resource: { ...resource, resource: 'sandboxforks' } }),
      reviewOf({ requestResource: { ...resource, group: 'other' } }),
      reviewOf({ requestKind: { ...kind, version: 7 } }),
      reviewOf({ subResource: 'status' }),
      reviewOf({
        operation: 'UPDATE',
        subResource: 'status',
        requestSubResource: 'scale',
        oldObject: claimOf(spec),
      }),
      reviewOf({ operation: 'DELETE', subResource: 'status' }),
      reviewOf({ operation: 'CONNECT' }),
    ];
    for (const review of bad) {
      const { verdict, rule, response } = ask(review);
      expect(verdict).toBe('deny');
      expect(rule).toMatch(/^(review|request): /);
      expect(response?.message).toMatch(/^(apiVersion|request\.)/);
    }
  });

  test('to delete is always allowed, whatever else it says', () => {
    const review = reviewOf({ operation: 'DELETE', object: null, userInfo: null, namespace: 7 });
    expect(ask(review)).toMatchObject({ verdict: 'allow', stamp: null });
  });

  test('never passes for a refusal by what its claim is called', () => {
    const object = { ...claimOf(spec), code: 200, rule: 'allowed', message: 'allowed' };
    expect(ask(reviewOf({ object })).verdict).toBe('review');
  });

  test('never has its words repeated, unless they are names', () => {
    const evil = '<script>hunter2</script>';
    const bad = [
      reviewOf({ object: claimOf({ serviceAccount: evil }) }),
      reviewOf({ object: claimOf({ secrets: [{ secretRef: evil }] }) }),
      reviewOf({ operation: evil }),
      reviewOf({ subResource: evil }),
      reviewOf({ object: claimOf(spec, { annotations: { [`workspace.mitos.run/${evil}`]: evil } }) }),
    ];
    for (const review of bad) {
      const verdict = ask(review);
      expect(verdict.verdict).toBe('deny');
      expect(JSON.stringify(verdict)).not.toContain('hunter2');
    }
  });
});
