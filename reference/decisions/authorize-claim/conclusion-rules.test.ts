/** What the API server’s answers prove: a plain yes to every question, and nothing else. */
import { describe, expect, test } from 'vitest';
import { allowed, claimOf, config, denied, reviewOf, userInfo } from './admission-samples.ts';
import { authorizeClaim } from './authorize-claim.ts';

const spec = { serviceAccount: 'builder', secrets: [{ secretRef: 'db' }] };

const review = reviewOf({ object: claimOf(spec) });

const yes: Record<string, unknown> = {
  'impersonate:builder': { id: 'impersonate:builder', result: 'answered', body: { allowed: true } },
  'account:builder': {
    id: 'account:builder',
    result: 'answered',
    body: { metadata: { namespace: 'team-a', name: 'builder', uid: 'uid-builder' } },
  },
  'get:db': { id: 'get:db', result: 'answered', body: { allowed: true } },
};

const concludeWith = (answers: unknown) => authorizeClaim(config, { review, answers });

const but = (id: string, answer: unknown) => concludeWith(Object.values({ ...yes, [id]: answer }));

const body = (id: string, own: unknown) => but(id, { id, result: 'answered', body: own });

describe('the questions', () => {
  test('are always asked with a deadline, and nothing is decided before', () => {
    for (const answers of [null, undefined]) {
      expect(authorizeClaim(config, { review, answers })).toMatchObject({
        verdict: 'review',
        deadlineMs: 2500,
        stamp: null,
        response: null,
        rule: 'ask what the author may do',
      });
    }
  });
});

describe('the conclusion', () => {
  test('is only allow when every question is answered by yes, and stamps what was asked for', () => {
    expect(concludeWith(Object.values(yes))).toMatchObject({
      verdict: 'allow',
      rule: 'the author may act as the principal and read the Secrets',
      stamp: {
        author: userInfo,
        name: 'claim',
        principal: { namespace: 'team-a', name: 'builder', uid: 'uid-builder' },
        secrets: ['db'],
      },
    });
  });

  test('for what the claim held before alone is never a stamp', () => {
    const update = reviewOf({
      operation: 'UPDATE',
      object: claimOf({}),
      oldObject: claimOf({ serviceAccount: 'builder' }),
    });
    const verdict = authorizeClaim(config, { review: update, answers: [yes['impersonate:builder']] });
    expect(verdict).toEqual(allowed('the author may act for what the claim held before'));
  });

  test('of Secrets alone always stamps no principal', () => {
    const secretsOnly = reviewOf({ object: claimOf({ secrets: spec.secrets }) });
    const verdict = authorizeClaim(config, { review: secretsOnly, answers: [yes['get:db']] });
    expect(verdict).toMatchObject({ verdict: 'allow', stamp: { principal: null, secrets: ['db'] } });
  });

  const mayNot = (verb: 'impersonate' | 'get', rule: string) => {
    const [field, what] =
      verb === 'get'
        ? ['spec.secrets', 'get Secret "db"']
        : ['spec.serviceAccount', 'impersonate service account "builder"'];
    return denied(
      403,
      rule,
      `${field}: you may not ${what}, in the namespace of this claim; have "${verb}" granted to you, or leave it out`,
    );
  };

  test.each<['impersonate' | 'get', string]>([
    ['impersonate', 'impersonate:builder'],
    ['get', 'get:db'],
  ])('is never allow without a plain yes to %s', (verb, id) => {
    for (const own of [
      {},
      { allowed: false },
      { allowed: 'true' },
      { allowed: false, denied: false, evaluationError: '' },
    ]) {
      expect(body(id, own)).toEqual(mayNot(verb, `review: may not ${verb}`));
    }
    const doubtful = [
      null,
      [],
      'yes',
      { allowed: true, denied: true },
      { allowed: true, denied: 'no' },
      { allowed: true, evaluationError: 'x' },
      { allowed: true, evaluationError: false },
    ];
    for (const own of doubtful) expect(body(id, own)).toEqual(mayNot(verb, 'review: ambiguous'));
    expect(body(id, { allowed: true, denied: false, evaluationError: '' }).verdict).toBe('allow');
  });
});

describe('a question without an answer', () => {
  test.each([
    ['impersonate:builder', 'spec.serviceAccount', 'whether you may impersonate service account "builder"'],
    ['get:db', 'spec.secrets', 'whether you may get Secret "db"'],
    ['account:builder', 'spec.serviceAccount', 'which service account it is'],
  ])('always tells a failure of %s from a refusal', (id, field, question) => {
    const late = denied(
      504,
      'review: timed out',
      `${field}: the API server did not say in time ${question}; try again`,
    );
    const failed = denied(
      500,
      'review: failed',
      `${field}: the API server could not say ${question}; try again, and tell the operator if it lasts`,
    );
    expect(but(id, { id, result: 'timed-out' })).toEqual(late);
    for (const answer of [
      undefined,
      null,
      { id },
      { id, result: 'failed' },
      { id, result: 'ok' },
      { id: 'x', result: 'answered' },
    ]) {
      expect(but(id, answer)).toEqual(failed);
    }
  });

  test('is never one that has a second answer: every one counts', () => {
    const no = { id: 'get:db', result: 'answered', body: { allowed: false } };
    for (const answers of [
      [no, ...Object.values(yes)],
      [...Object.values(yes), no],
    ]) {
      expect(concludeWith(answers).rule).toBe('review: may not get');
    }
    const strangers = { id: 'get:other', result: 'answered', body: { allowed: false } };
    expect(concludeWith([strangers, ...Object.values(yes)]).verdict).toBe('allow');
  });
});

describe('a principal', () => {
  const missing = denied(
    422,
    'principal: no such service account',
    'spec.serviceAccount: there is no service account "builder" in the namespace of this claim; create it first',
  );
  const account = { namespace: 'team-a', name: 'builder', uid: 'uid-builder' };

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no metadata', {}],
    ['one of another namespace', { metadata: { ...account, namespace: 'team-b' } }],
    ['one of another name', { metadata: { ...account, name: 'other' } }],
    ['one without UID', { metadata: { ...account, uid: '' } }],
    ['one that is leaving', { metadata: { ...account, deletionTimestamp: '2026-11-24T00:00:00Z' } }],
  ])('is never %s', (_, own) => {
    expect(body('account:builder', own)).toEqual(missing);
  });

  test('that is not found is always said to be missing', () => {
    expect(but('account:builder', { id: 'account:builder', result: 'not-found' })).toEqual(missing);
  });

  test('that is not leaving is always one', () => {
    expect(body('account:builder', { metadata: { ...account, deletionTimestamp: null } }).verdict).toBe(
      'allow',
    );
  });
});
