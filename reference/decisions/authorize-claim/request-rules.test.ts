/** A request as it may come: what is judged at all, and what each refusal says. */
import { describe, expect, test } from 'vitest';
import { allowed, ask, claimOf, denied, type Fields, kind, resource, reviewOf } from './admission-samples.ts';

describe('a review', () => {
  const unknown = denied(
    400,
    'review: of an unknown version or kind',
    'apiVersion, kind: this webhook speaks AdmissionReview of admission.k8s.io/v1; list v1 in admissionReviewVersions',
  );
  const uidless = denied(
    400,
    'review: without uid',
    'request.uid: missing; the API server sets it on every review',
  );

  test.each<[unknown, object]>([
    [null, unknown],
    [{ ...reviewOf(), apiVersion: 'admission.k8s.io/v1beta1' }, unknown],
    [{ ...reviewOf(), kind: 'Status' }, unknown],
    [reviewOf({ uid: undefined }), uidless],
    [reviewOf({ uid: '' }), uidless],
    [{ ...reviewOf(), request: null }, uidless],
  ])('is only read in its version and kind, with its uid', (review, verdict) => {
    expect(ask(review)).toEqual(verdict);
  });
});

describe('a request', () => {
  const other = denied(
    403,
    'request: not of a SandboxClaim in a known version',
    'request.kind, request.resource: this webhook judges sandboxclaims.mitos.run/v1alpha1; register it for those alone, with matchPolicy Equivalent',
  );
  const kindless = { ...resource, resource: 'sandboxforks' };

  test.each<[string, Fields]>([
    ['another group of kind', { kind: { ...kind, group: 'apps' } }],
    ['another version of kind', { kind: { ...kind, version: 'v1' } }],
    ['no version of kind', { kind: { ...kind, version: '' } }],
    ['another kind', { kind: { ...kind, kind: 'SandboxFork' } }],
    ['a kind that is named like the resource', { kind: { ...resource, kind: undefined } }],
    ['no kind', { kind: null }],
    ['another group of resource', { resource: { ...resource, group: 'apps' } }],
    ['another version of resource', { resource: { ...resource, version: 'v1' } }],
    ['another resource', { resource: kindless }],
    ['another kind that was asked for', { requestKind: { ...kind, kind: 'SandboxFork' } }],
    ['another group that was asked for', { requestKind: { ...kind, group: 'apps' } }],
    ['no version that was asked for', { requestKind: { ...kind, version: undefined } }],
    ['another resource that was asked for', { requestResource: kindless }],
    ['text for the resource that was asked for', { requestResource: 'sandboxclaims' }],
  ])('of %s is always denied', (_, fields) => {
    expect(ask(reviewOf(fields))).toEqual(other);
  });

  test.each<[string, Fields]>([
    ['null', { requestKind: null, requestResource: null, subResource: null, requestSubResource: null }],
    ['the same', { requestKind: kind, requestResource: resource }],
    [
      'of a version that was converted',
      { requestKind: { ...kind, version: 'v2' }, requestResource: { ...resource, version: 'v2' } },
    ],
  ])('as it was asked for may be %s', (_, fields) => {
    expect(ask(reviewOf(fields)).verdict).toBe('review');
  });

  const subresource = denied(
    403,
    'request: of an unknown subresource',
    'request.subResource: claims have no subresource but status; write the claim itself',
  );
  const operation = denied(
    403,
    'request: of an unknown operation',
    'request.operation: claims are created, updated and deleted; register the webhook for those alone',
  );

  test.each<[Fields, object]>([
    [{ subResource: 'scale' }, subresource],
    [{ subResource: 7 }, subresource],
    [{ requestSubResource: 'status' }, subresource],
    [{ subResource: 'status', requestSubResource: 'scale', operation: 'UPDATE' }, subresource],
    [{ operation: 'CONNECT' }, operation],
    [{ operation: undefined }, operation],
    [{ subResource: 'status' }, operation],
    [{ subResource: 'status', operation: 'DELETE' }, operation],
  ])('is only judged for what claims have: %j', (fields, verdict) => {
    expect(ask(reviewOf(fields))).toEqual(verdict);
  });

  test('to delete is always allowed', () => {
    const deletes = allowed('deleted: nothing is asked for');
    expect(ask(reviewOf({ operation: 'DELETE', object: null }))).toEqual(deletes);
    expect(ask(reviewOf({ operation: 'DELETE', subResource: '', userInfo: null }))).toEqual(deletes);
  });

  test.each([undefined, null, '', 7, 'Team-A', 'team.a', '-a', 'a-', 'a'.repeat(64)])(
    'is never judged without a namespace that is one: %j',
    (namespace) => {
      expect(ask(reviewOf({ namespace }))).toEqual(
        denied(400, 'request: without a namespace', 'request.namespace: claims are namespaced; name one'),
      );
    },
  );

  test('may be of any namespace that is a DNS-1123 label', () => {
    for (const namespace of ['a', 'a-0', '0', 'a'.repeat(63)]) {
      const object = claimOf({ serviceAccount: 'builder' }, { namespace });
      expect(ask(reviewOf({ namespace, object })).verdict).toBe('review');
    }
  });
});

describe('an author', () => {
  test.each<[unknown]>([
    [null],
    [{}],
    [{ username: '' }],
    [{ username: 7 }],
    [{ username: 'alice', uid: 7 }],
    [{ username: 'alice', groups: 'dev' }],
    [{ username: 'alice', groups: ['dev', 7] }],
    [{ username: 'alice', extra: [] }],
    [{ username: 'alice', extra: { scopes: 'x' } }],
    [{ username: 'alice', extra: { a: ['x'], scopes: ['x', 7] } }],
  ])('is never asked about in part: %j', (given) => {
    expect(ask(reviewOf({ userInfo: given }))).toEqual(
      denied(
        400,
        'request: userInfo is unreadable',
        'request.userInfo: nobody can be asked about; it needs a username, and lists of strings as groups and extra',
      ),
    );
  });

  test('is always asked about with what the API server left out as empty', () => {
    for (const empty of [{}, { uid: null, groups: null, extra: null }]) {
      const [first] = ask(reviewOf({ userInfo: { username: 'alice', ...empty } })).questions;
      expect(first).toMatchObject({ spec: { user: 'alice', uid: '', groups: [], extra: {} } });
    }
  });
});

describe('the claim of a request', () => {
  const noClaim = (field: string) =>
    denied(
      400,
      `request: ${field} is no SandboxClaim`,
      `request.${field}: send a SandboxClaim of mitos.run/v1alpha1 with metadata, annotations as a map`,
    );
  const elsewhere = (field: string) =>
    denied(
      403,
      `request: ${field} is of another namespace`,
      `request.${field}.metadata.namespace: differs from the namespace of the request; create the claim in its own`,
    );
  const misnamed = (field: string) =>
    denied(
      400,
      `request: ${field} is of another name`,
      `request.${field}.metadata.name: differs from the name of the request; send one name`,
    );
  const spec = { serviceAccount: 'builder' };

  test.each<[string, unknown, (field: string) => object]>([
    ['is null', null, noClaim],
    ['is a list', [claimOf(spec)], noClaim],
    ['has no metadata', { ...claimOf(spec), metadata: undefined }, noClaim],
    ['has text for metadata', { ...claimOf(spec), metadata: 'x' }, noClaim],
    ['is of another version', claimOf(spec, {}, { apiVersion: 'mitos.run/v1' }), noClaim],
    ['is of another kind', claimOf(spec, {}, { kind: 'SandboxFork' }), noClaim],
    ['has annotations as a list', claimOf(spec, { annotations: [] }), noClaim],
    ['has annotations as text', claimOf(spec, { annotations: 'x' }), noClaim],
    ['is of another namespace', claimOf(spec, { namespace: 'team-b' }), elsewhere],
    ['is of another name', claimOf(spec, { name: 'other' }), misnamed],
    ['has a number for a name', claimOf(spec, { name: 7 }), misnamed],
  ])('is never judged when it %s, the old one neither', (_, object, verdict) => {
    expect(ask(reviewOf({ object }))).toEqual(verdict('object'));
    expect(ask(reviewOf({ operation: 'UPDATE', oldObject: object }))).toEqual(verdict('oldObject'));
  });

  test.each<[string, Fields]>([
    ['namespace is left out', { object: claimOf(spec, { namespace: undefined }) }],
    ['name is left out', { object: claimOf(spec, { name: undefined }) }],
    ['name stands in itself alone', { name: '' }],
    ['name stands in itself, and null in the request', { name: null }],
    ['annotations are null', { object: claimOf(spec, { annotations: null }) }],
    ['old one is absent on CREATE, whatever stands there', { oldObject: 'x' }],
  ])('is always judged when its %s', (_, fields) => {
    expect(ask(reviewOf(fields)).verdict).toBe('review');
  });

  test('is always held to one name, wherever it stands', () => {
    const oldObject = claimOf({}, { name: 'other' });
    expect(ask(reviewOf({ operation: 'UPDATE', name: '', oldObject }))).toEqual(misnamed('oldObject'));
    const nameless = claimOf(spec, { name: '' });
    for (const before of [nameless, claimOf(spec)]) {
      const { rule } = ask(reviewOf({ operation: 'UPDATE', name: '', object: nameless, oldObject: before }));
      expect(rule).toBe('spec, stamp and steering annotations stay as they are');
    }
  });

  test('without any name is never stamped', () => {
    const verdict = denied(
      422,
      'claim: no name to stamp',
      'metadata.name: a claim with a service account or Secrets needs a name of its own; generateName is unknown at admission',
    );
    expect(ask(reviewOf({ name: null, object: claimOf(spec, { name: '' }) }))).toEqual(verdict);
    const secret = claimOf({ secrets: [{ secretRef: 'db' }] }, { name: '' });
    expect(ask(reviewOf({ name: '', object: secret }))).toEqual(verdict);
    expect(ask(reviewOf({ name: '', object: claimOf({}, { name: '' }) }))).toEqual(
      allowed('names no principal and no Secret'),
    );
  });
});

test('a number is never a name, in a request that names none either', () => {
  const object = claimOf({ serviceAccount: 'builder' }, { name: 7 });
  expect(ask(reviewOf({ name: '', object })).rule).toBe('request: object is of another name');
});
