/** authorize-claim is total: whatever JSON comes in, a verdict comes out, in bounded time. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AuthorizeClaimConfig, authorizeClaim } from './authorize-claim.ts';

const config: AuthorizeClaimConfig = {
  controller: 'controller',
  systemSecrets: ['*-sandbox-token'],
  maxSecrets: 3,
  reviewDeadlineMs: 2500,
};

const claim = (more: string) =>
  `{"apiVersion":"mitos.run/v1alpha1","kind":"SandboxClaim","metadata":{"name":"claim","namespace":"team-a"},"spec":{"serviceAccount":"builder"}${more}}`;

function reviewText(
  object: string,
  oldObject = 'null',
  operation = 'CREATE',
  userInfo = '{"username":"alice"}',
) {
  return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"mitos.run","version":"v1alpha1","kind":"SandboxClaim"},"resource":{"group":"mitos.run","version":"v1alpha1","resource":"sandboxclaims"},"namespace":"team-a","name":"claim","operation":"${operation}","userInfo":${userInfo},"object":${object},"oldObject":${oldObject}}}`;
}

const verdictOf = (text: string) => authorizeClaim(config, { review: JSON.parse(text), answers: null });

describe('a malformed claim', () => {
  test('always reads the control like a claim, so that the rest can fail', () => {
    expect(verdictOf(reviewText(claim(''))).verdict).toBe('review');
  });

  test.each([
    ['null metadata', claim(',"metadata":null')],
    ['metadata as a list', claim(',"metadata":[]')],
    ['annotations as text', claim(',"metadata":{"annotations":"x"}')],
    ['a number for the name', claim(',"metadata":{"name":7}')],
    ['a number for the namespace', claim(',"metadata":{"namespace":7}')],
    ['a spec that is null', claim(',"spec":null')],
    ['a spec that is a list', claim(',"spec":[{"serviceAccount":"builder"}]')],
    ['a number for the principal', claim(',"spec":{"serviceAccount":7}')],
    ['secrets as a map', claim(',"spec":{"secrets":{"0":{"secretRef":"db"}}}')],
    ['secrets that are nulls', claim(',"spec":{"secrets":[null]}')],
    [
      'a principal twice, the later one is no name',
      claim(',"spec":{"serviceAccount":"a","serviceAccount":"../*"}'),
    ],
    ['a list for the object', `[${claim('')}]`],
    ['text for the object', '"claim"'],
    [
      'a spec of depth 2000',
      claim(`,"spec":{"serviceAccount":"builder","a":${'['.repeat(2000)}${']'.repeat(2000)}}`),
    ],
  ])('denies %s, and never throws', (_says, object) => {
    expect(verdictOf(reviewText(object)).verdict).toBe('deny');
    expect(verdictOf(reviewText(claim(''), object, 'UPDATE')).verdict).not.toBe('allow');
  });
});

describe('any JSON', () => {
  test('never sees what a prototype holds', () => {
    const proto = '{"__proto__":{"username":"controller"},"groups":["a"]}';
    expect(verdictOf(reviewText(claim(''), 'null', 'CREATE', proto)).verdict).toBe('deny');
    const spec = claim(',"spec":{"__proto__":{"serviceAccount":"builder"},"poolRef":"pool"}');
    expect(verdictOf(reviewText(spec))).toMatchObject({ verdict: 'allow', stamp: null });
    const extra = '{"username":"alice","extra":{"__proto__":["x"],"constructor":["y"]}}';
    const { questions } = verdictOf(reviewText(claim(''), 'null', 'CREATE', extra));
    const [first] = questions;
    expect(first?.kind === 'SubjectAccessReview' ? JSON.stringify(first.spec.extra) : '').toBe(
      '{"__proto__":["x"],"constructor":["y"]}',
    );
  });

  test('always compares own keys that are called like a prototype', () => {
    const metadata = (value: string) =>
      claim(
        `,"metadata":{"name":"claim","namespace":"team-a","annotations":{"__proto__":"x","workspace.mitos.run/a":"${value}"}}`,
      );
    expect(verdictOf(reviewText(metadata('1'), metadata('1'), 'UPDATE')).verdict).toBe('allow');
    expect(verdictOf(reviewText(metadata('2'), metadata('1'), 'UPDATE')).verdict).toBe('deny');
  });

  test('reads a megabyte of labels, annotations and repeated Secrets at once', () => {
    const labels = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`l${index}`, 'x'.repeat(40)]),
    );
    const secrets = Array.from({ length: 20_000 }, () => ({ name: 'db', secretRef: 'db' }));
    const object = JSON.stringify({
      ...JSON.parse(claim('')),
      metadata: { name: 'claim', namespace: 'team-a', labels, annotations: labels },
      spec: { serviceAccount: 'builder', secrets, env: [] },
    });
    const review: unknown = JSON.parse(reviewText(object, claim(''), 'UPDATE'));
    const started = performance.now();
    const { questions } = authorizeClaim(config, { review, answers: null });
    expect(questions.map(({ id }) => id)).toEqual(['impersonate:builder', 'account:builder', 'get:db']);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('never throws on any JSON, nor on any part of a review replaced by it', () => {
    const paths = [
      '',
      'request',
      'request.kind',
      'request.userInfo',
      'request.object',
      'request.object.metadata',
    ];
    const deeper = [
      'request.object.spec',
      'request.object.spec.secrets',
      'request.userInfo.extra',
      'request.oldObject',
    ];
    const whole = () =>
      JSON.parse(reviewText(claim(''), claim(',"spec":{}'), 'UPDATE')) as Record<string, unknown>;
    const arbitrary = fc.record({
      path: fc.constantFrom(...paths, ...deeper),
      value: fc.jsonValue(),
      answers: fc.option(
        fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record({
              id: fc.constantFrom('impersonate:builder', 'account:builder'),
              result: fc.constantFrom('answered', 'x'),
              body: fc.jsonValue(),
            }),
          ),
        ),
      ),
    });
    fc.assert(
      fc.property(arbitrary, ({ path, value, answers }) => {
        const review = path === '' ? value : replaced(whole(), path.split('.'), value);
        const verdict = authorizeClaim(config, { review, answers });
        expect(['allow', 'deny', 'review']).toContain(verdict.verdict);
        expect(verdict.rule).not.toBe('');
      }),
      { seed: 20261124, numRuns: 5000 },
    );
  });
});

function replaced(root: Record<string, unknown>, path: readonly string[], value: unknown): unknown {
  let at = root;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1) ?? ''] = value;
  return root;
}
