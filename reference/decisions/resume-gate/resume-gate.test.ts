/** The gate never throws, asks before it serves, and loads what the binding says. */
import { describe, expect, test } from 'vitest';
import type { MemoryBinding, Principal } from '#reference/contract/admission.ts';
import { specHashOf } from '../spec-hash.ts';
import { judgeMemory, type ResumeCase, type ResumeVerdict } from './resume-gate.ts';

const config = { deadlineMs: 1000 };
const principal: Principal = { namespace: 'team-a', name: 'agent', uid: 'uid-agent' };
const workspace = { namespace: 'team-a', name: 'ws', uid: 'uid-ws' };
const memory = 'sha256:5a';
const spec = { poolRef: 'pool', serviceAccount: 'agent', workspaceRef: 'ws' };
const binding: MemoryBinding = { memory, workspace, revisionUid: 'uid-r1', principal };

const honest: ResumeCase = {
  operation: 'resume',
  claim: { metadata: { namespace: 'team-a', name: 'claim', uid: 'uid-claim' }, spec },
  workspace: { metadata: workspace, status: { head: { name: 'ws-r1', uid: 'uid-r1' } } },
  head: {
    metadata: { namespace: 'team-a', name: 'ws-r1', uid: 'uid-r1' },
    spec: { memorySnapshot: memory, memorySnapshotPrincipal: 'agent' },
  },
  serviceAccount: { metadata: principal },
  stamp: {
    author: { username: 'alice', uid: 'uid-alice', groups: ['devs'], extra: { scope: ['a', 'b'] } },
    namespace: 'team-a',
    name: 'claim',
    principal,
    secrets: [],
    specHash: specHashOf(spec) ?? '',
  },
  stampSeenOn: 'uid-claim',
  startedAs: principal,
  bindings: [binding],
  answers: null,
  elapsedMs: 0,
};

/** Asks, has every review answered with yes, and asks again. */
function decided(input: ResumeCase): ResumeVerdict {
  const first = judgeMemory(config, input);
  if (first.verdict !== 'review') return first;
  const answers = first.reviews.map((review) => ({ review, status: { allowed: true } }));
  return judgeMemory(config, { ...input, answers });
}

/** Work that grew with the square of the input would take minutes. */
const quadraticMs = 5000;

const junk: readonly unknown[] = [
  null,
  undefined,
  7,
  -0,
  '',
  'text',
  true,
  [],
  [null],
  [[]],
  {},
  { metadata: null },
  { uid: 1 },
  JSON.parse('{"__proto__": {"namespace": "team-a", "name": "agent", "uid": "uid-agent"}}'),
  JSON.parse('{"constructor": {"prototype": null}, "toString": 1}'),
  nested(10_000),
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { deeper: value };
  return value;
}

/** The value with each of its places replaced by the junk in turn. */
function* spoiled(value: unknown, bad: unknown): Generator<unknown> {
  yield bad;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    for (const worse of spoiled(part, bad)) {
      yield Array.isArray(value)
        ? value.map((one, index) => (String(index) === key ? worse : one))
        : { ...value, [key]: worse };
    }
  }
}

describe('the gate', () => {
  test('always resumes what the binding names, for whoever may', () => {
    expect(decided(honest)).toMatchObject({ verdict: 'resume', memory });
  });

  test('always says what captured memory is bound to', () => {
    expect(decided({ ...honest, operation: 'capture', head: null, bindings: [] })).toMatchObject({
      verdict: 'capture',
      binding: { workspace, principal },
    });
  });

  test('always asks for both rights with the author of the stamp, for a capture for impersonate alone', () => {
    const who = { user: 'alice', uid: 'uid-alice', groups: ['devs'], extra: { scope: ['a', 'b'] } };
    const impersonate = {
      ...who,
      resourceAttributes: {
        namespace: 'team-a',
        verb: 'impersonate',
        group: '',
        resource: 'serviceaccounts',
        subresource: '',
        name: 'agent',
      },
    };
    const resume = {
      ...who,
      resourceAttributes: {
        namespace: 'team-a',
        verb: 'resume',
        group: 'mitos.run',
        resource: 'workspaces',
        subresource: 'memory',
        name: 'ws',
      },
    };
    expect(judgeMemory(config, honest)).toMatchObject({ reviews: [impersonate, resume] });
    expect(judgeMemory(config, { ...honest, operation: 'capture' })).toMatchObject({
      reviews: [impersonate],
    });
  });

  test('never serves an operation that it does not know', () => {
    const operation = 'export' as ResumeCase['operation'];
    expect(decided({ ...honest, operation })).toMatchObject({ verdict: 'refuse', rule: 'no such operation' });
  });

  test('never takes a time that is no number for one in time', () => {
    const first = judgeMemory(config, honest);
    const answers = (first.verdict === 'review' ? first.reviews : []).map((review) => ({
      review,
      status: { allowed: true },
    }));
    for (const elapsedMs of [Number.NaN, Number.POSITIVE_INFINITY, 1001]) {
      expect(judgeMemory(config, { ...honest, answers, elapsedMs })).toMatchObject({ rule: 'review: late' });
    }
  });

  test('never names a user or a digest in a rule', () => {
    const rules = (['claim', 'head', 'workspace', 'serviceAccount', 'stamp'] as const).map(
      (part) => decided({ ...honest, [part]: null }).rule,
    );
    expect(rules.filter((rule) => /alice|sha256|uid-/.test(rule))).toEqual([]);
    expect(new Set(rules).size).toBe(rules.length);
  });
});

describe('whatever JSON comes in', () => {
  const fields = Object.keys(honest).filter((field) => field !== 'elapsedMs') as (keyof ResumeCase)[];
  const operations = ['resume', 'capture'] as const;

  test.each(junk.map((bad, index) => ({ bad, index })))('the gate never throws: junk $index', ({ bad }) => {
    let served = 0;
    let cases = 0;
    for (const operation of operations) {
      const base = { ...honest, operation };
      for (const field of fields) {
        for (const worse of spoiled(base[field], bad)) {
          const { verdict } = decided({ ...base, [field]: worse } as ResumeCase);
          cases += 1;
          if (verdict === operation) served += 1;
        }
      }
    }
    expect(cases).toBeGreaterThan(100);
    // What a stamp, a claim or a workspace says beside the point does not matter; most of it does.
    expect(served).toBeLessThan(cases / 2);
  });

  test('a yes that is spoiled anywhere in its review never allows', () => {
    const first = judgeMemory(config, honest);
    const reviews = first.verdict === 'review' ? first.reviews : [];
    const yes = reviews.map((review) => ({ review, status: { allowed: true } }));
    // What is nested deeper than JSON.stringify goes is judged above.
    for (const bad of [...junk.slice(0, -1), nested(100)]) {
      for (const worse of spoiled(yes[1]?.review, bad)) {
        if (JSON.stringify(worse) === JSON.stringify(yes[1]?.review)) continue;
        const answers = [...yes.slice(0, 1), { review: worse, status: { allowed: true } }];
        expect(judgeMemory(config, { ...honest, answers }).verdict).toBe('refuse');
      }
    }
  });

  test('a megabyte of labels and ten thousand records take bounded time', () => {
    const labels = Object.fromEntries(
      Array.from({ length: 50_000 }, (_, index) => [`label-${index}`, 'x'.repeat(16)]),
    );
    const claim = { metadata: { namespace: 'team-a', name: 'claim', uid: 'uid-claim', labels }, spec };
    const others = Array.from({ length: 10_000 }, (_, index) => ({
      ...binding,
      revisionUid: `uid-other-${index}`,
    }));
    const started = performance.now();
    expect(decided({ ...honest, claim, bindings: [...others, binding] }).verdict).toBe('resume');
    expect(performance.now() - started).toBeLessThan(quadraticMs);
  });
});
