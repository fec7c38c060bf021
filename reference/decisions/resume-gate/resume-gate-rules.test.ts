/** The resume gate rule by rule: one fact wrong at a time, each refused by its name; then the answers, one by one. */
import { describe, expect, test } from 'vitest';
import { specHashOf } from '../spec-hash.ts';
import { authorOf, isTerminating, objectIdOf, principalOf, sameObject } from './memory-objects.ts';
import { judgeMemory, type ResumeCase } from './resume-gate.ts';

const config = { deadlineMs: 1000 };
const principal = { namespace: 'team-a', name: 'agent', uid: 'uid-agent' };
const workspace = { namespace: 'team-a', name: 'ws', uid: 'uid-ws' };
const spec = { poolRef: 'pool', serviceAccount: 'agent', workspaceRef: 'ws' };
const claimId = { namespace: 'team-a', name: 'claim', uid: 'uid-claim' };
const author = { username: 'alice', uid: 'uid-alice', groups: ['devs'], extra: { scope: ['a'] } };
const stamp = {
  author,
  namespace: 'team-a',
  name: 'claim',
  principal,
  secrets: [],
  specHash: specHashOf(spec) ?? '',
};
const binding = { memory: 'sha256:5a', workspace, revisionUid: 'uid-r1', principal };
const headId = { namespace: 'team-a', name: 'ws-r1', uid: 'uid-r1' };
const headSpec = { memorySnapshot: 'sha256:5a', memorySnapshotPrincipal: 'agent' };
const honest: ResumeCase = {
  operation: 'resume',
  claim: { metadata: claimId, spec },
  workspace: { metadata: workspace, status: { head: { name: 'ws-r1', uid: 'uid-r1' } } },
  head: { metadata: headId, spec: headSpec },
  serviceAccount: { metadata: principal },
  stamp,
  stampSeenOn: 'uid-claim',
  startedAs: principal,
  bindings: [binding],
  answers: null,
  elapsedMs: 0,
};
type Changes = Readonly<Record<string, unknown>>;
const judge = (changes: Changes = {}) => judgeMemory(config, { ...honest, ...changes } as ResumeCase);
const refusal = (rule: string) => ({ verdict: 'refuse', rule });
const about = { user: 'alice', uid: 'uid-alice', groups: ['devs'], extra: { scope: ['a'] } };
const impersonate = {
  ...about,
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
  ...about,
  resourceAttributes: {
    namespace: 'team-a',
    verb: 'resume',
    group: 'mitos.run',
    resource: 'workspaces',
    subresource: 'memory',
    name: 'ws',
  },
};
const yes = (review: object) => ({ review, status: { allowed: true } });

describe('what must hold', () => {
  const claim = (changes: object, metadata: object = {}) => ({
    metadata: { ...claimId, ...metadata },
    spec: { ...spec, ...changes },
  });
  const stamped = (changes: object) => ({ stamp: { ...stamp, ...changes } });
  const nameless = { claim: { ...(honest.claim as object), metadata: { ...claimId, uid: '' } } };
  const deep = JSON.parse(`${'['.repeat(80)}1${']'.repeat(80)}`) as unknown;

  test.each<[string, Changes]>([
    ['no such operation', { operation: 'read' }],
    ['claim: no namespace, name or uid', { claim: null }],
    ['claim: no namespace, name or uid', nameless],
    ['principal: the claim names none', { claim: claim({ serviceAccount: undefined }) }],
    ['principal: the claim names none', { claim: claim({ serviceAccount: '../*' }) }],
    ['stamp: none: admitted without the check', { stamp: null }],
    ['stamp: of another namespace', stamped({ namespace: 'team-b' })],
    ['stamp: of another claim', stamped({ name: 'other' })],
    ['stamp: of another spec', stamped({ specHash: 'x' })],
    ['stamp: of another spec', { claim: claim({ more: 1 }) }],
    ['stamp: of another spec', { claim: claim({ deep }), ...stamped({ specHash: null }) }],
    ['stamp: not first seen on this claim', { stampSeenOn: null }],
    ['stamp: not first seen on this claim', { claim: claim({}, { uid: 'uid-new' }) }],
    ['stamp: no author', stamped({ author: { ...author, groups: 'devs' } })],
    ['stamp: no principal', stamped({ principal: null })],
    ['principal: of another namespace', stamped({ principal: { ...principal, namespace: 'team-b' } })],
    ['principal: not the one that was checked', stamped({ principal: { ...principal, name: 'other' } })],
    ['principal: no such service account now', { serviceAccount: null }],
    [
      'principal: another service account now',
      { serviceAccount: { metadata: { ...principal, uid: 'new' } } },
    ],
    [
      'principal: service account is terminating',
      { serviceAccount: { metadata: { ...principal, deletionTimestamp: 'x' } } },
    ],
    ['workspace: no namespace, name or uid', { workspace: null }],
    ['workspace: of another namespace', { workspace: { metadata: { ...workspace, namespace: 'team-b' } } }],
    [
      'workspace: not the one that the claim names',
      { workspace: { metadata: { ...workspace, name: 'other' } } },
    ],
  ])('for resume and capture is always refused by its rule: %s', (rule, changes) => {
    expect(judge(changes)).toEqual(refusal(rule));
    if (!('operation' in changes)) expect(judge({ operation: 'capture', ...changes })).toEqual(refusal(rule));
  });

  const head = (changes: object, metadata: object = {}) => ({
    head: { metadata: { ...headId, ...metadata }, spec: { ...headSpec, ...changes } },
  });
  const bound = (changes: object) => ({ bindings: [{ revisionUid: 'other' }, { ...binding, ...changes }] });

  test.each<[string, Changes]>([
    ['head: no namespace, name or uid', { head: null }],
    ['head: of another namespace', head({}, { namespace: 'team-b' })],
    ['head: not the one that the workspace names', head({}, { uid: 'uid-r2' })],
    ['head: not the one that the workspace names', { workspace: { metadata: workspace } }],
    ['binding: none for this revision', { bindings: [] }],
    ['binding: none for this revision', { bindings: null }],
    ['binding: more than one for this revision', { bindings: [binding, binding] }],
    ['binding: unreadable, or without a principal', bound({ memory: '' })],
    ['binding: unreadable, or without a principal', bound({ workspace: null })],
    ['binding: unreadable, or without a principal', bound({ principal: null })],
    ['binding: of another workspace', bound({ workspace: { ...workspace, uid: 'x' } })],
    ['binding: of another principal', bound({ principal: { ...principal, uid: 'x' } })],
    ['head: names another memory than the binding', head({ memorySnapshot: 'sha256:6b' })],
    ['head: names another memory than the binding', head({ memorySnapshot: undefined })],
    ['head: names another principal than the binding', head({ memorySnapshotPrincipal: 'other' })],
  ])('for a resume is always refused by its rule: %s', (rule, changes) => {
    expect(judge(changes)).toEqual(refusal(rule));
    expect(judge({ operation: 'capture', ...changes, workspace: honest.workspace }).verdict).toBe('review');
  });

  test.each<[string, Changes]>([
    ['principal: the sandbox was started without one', { startedAs: null }],
    ['principal: the sandbox was started for another', { startedAs: { ...principal, uid: 'x' } }],
  ])('for a capture is always refused by its rule: %s', (rule, changes) => {
    expect(judge({ operation: 'capture', ...changes })).toEqual(refusal(rule));
    expect(judge(changes).verdict).toBe('review');
  });

  test('is only the record of this revision, whatever else is bound', () => {
    expect(judge(bound({})).verdict).toBe('review');
  });
});

describe('the reviews', () => {
  const rule = 'rights are asked again, now';

  test('of a resume are always both verbs, of a capture one, with the author as he came', () => {
    expect(judge()).toEqual({ verdict: 'review', reviews: [impersonate, resume], rule });
    expect(judge({ operation: 'capture' })).toEqual({ verdict: 'review', reviews: [impersonate], rule });
  });

  test('answered by yes in time always serve what is bound, and bind what is captured', () => {
    const answers = [yes(impersonate), yes(resume)];
    expect(judge({ answers, elapsedMs: 1000 })).toEqual({
      verdict: 'resume',
      memory: 'sha256:5a',
      rule: 'bound to this revision, author may',
    });
    expect(judge({ operation: 'capture', answers: [yes(impersonate)] })).toEqual({
      verdict: 'capture',
      binding: { workspace, principal },
      rule: 'of a principal, author may',
    });
  });

  test.each<[string, unknown, number]>([
    ['review: late', [yes(impersonate), yes(resume)], 1001],
    ['review: late', [yes(impersonate), yes(resume)], Number.NaN],
    ['review: no list of answers', {}, 0],
    ['review: not one answer to each', [yes(impersonate)], 0],
    ['review: not one answer to each', [yes(impersonate), yes(resume), yes(resume)], 0],
    ['review: impersonate: answers another question', [yes(resume), yes(impersonate)], 0],
    ['review: impersonate: answers another question', [null, yes(resume)], 0],
    ['review: resume: answers another question', [yes(impersonate), yes({ ...resume, user: 'bob' })], 0],
    ['review: resume: could not be asked', [yes(impersonate), { ...yes(resume), error: 'timeout' }], 0],
    ['review: resume: could not be asked', [yes(impersonate), { ...yes(resume), error: false }], 0],
    ['review: impersonate: not allowed', [{ review: impersonate, status: {} }, yes(resume)], 0],
    [
      'review: resume: ambiguous',
      [yes(impersonate), { review: resume, status: { allowed: true, denied: true } }],
      0,
    ],
    ['review: resume: ambiguous', [yes(impersonate), { review: resume }], 0],
  ])('are never a yes otherwise: %s', (why, answers, elapsedMs) => {
    expect(judge({ answers, elapsedMs })).toEqual(refusal(why));
  });

  test('may carry an error that is none', () => {
    const answers = [
      { ...yes(impersonate), error: null },
      { ...yes(resume), error: undefined },
    ];
    expect(judge({ answers }).verdict).toBe('resume');
  });
});

describe('what is read of an object', () => {
  test('is never half an identity', () => {
    expect(objectIdOf({ metadata: { ...principal, more: 1 } })).toEqual(principal);
    for (const part of ['namespace', 'name', 'uid']) {
      for (const value of [undefined, null, '', 7]) {
        expect(objectIdOf({ metadata: { ...principal, [part]: value } })).toBeNull();
        expect(principalOf({ ...principal, [part]: value })).toBeNull();
        expect(sameObject(principal, { ...principal, [part]: 'x' })).toBe(false);
      }
    }
    expect(sameObject(principal, { ...principal })).toBe(true);
    expect(principalOf({ ...principal, name: 'Agent' })).toBeNull();
  });

  test('is terminating only with a time', () => {
    expect([{}, { deletionTimestamp: null }].map((metadata) => isTerminating({ metadata }))).toEqual([
      false,
      false,
    ]);
    expect(isTerminating({ metadata: { deletionTimestamp: '' } })).toBe(true);
  });

  test('is an author only when a review can be asked with all of it', () => {
    expect(authorOf({ ...author, more: 1 })).toEqual(author);
    const wrong = [
      null,
      { ...author, username: '' },
      { ...author, uid: 7 },
      { ...author, uid: undefined },
      { ...author, groups: undefined },
      { ...author, groups: ['a', 7] },
      { ...author, extra: undefined },
      { ...author, extra: [] },
      { ...author, extra: { a: ['x'], b: 'x' } },
      { ...author, extra: { a: ['x', 7] } },
    ];
    expect(wrong.map(authorOf)).toEqual(wrong.map(() => null));
  });
});
