/** Ways in which an AdmissionReview on a workspace is none, or is not about what it says. */
import type { Json } from '../models/workspace-writes.ts';

export interface Breakage {
  readonly says: string;
  /** The review, broken; null when this one cannot be broken so. */
  readonly broken: (review: Json) => unknown;
}

const partOf = (object: unknown, name: string): Json => ((object as Json)[name] ?? {}) as Json;

const inReview = (says: string, fields: Json): Breakage => ({
  says,
  broken: (review) => ({ ...review, ...fields }),
});

const inRequest = (says: string, fields: Json): Breakage => ({
  says,
  broken: (review) => ({ ...review, request: { ...partOf(review, 'request'), ...fields } }),
});

function inPart(part: string, says: string, fields: Json): Breakage {
  return {
    says: `${part}: ${says}`,
    broken: (review) => {
      const request = partOf(review, 'request');
      return { ...review, request: { ...request, [part]: { ...partOf(request, part), ...fields } } };
    },
  };
}

/** In the object, or in the old one when it is deleted. */
function inObject(says: string, change: (object: Json) => unknown): Breakage {
  return {
    says: `the object ${says}`,
    broken: (review) => {
      const request = partOf(review, 'request');
      const part = request.object === null ? 'oldObject' : 'object';
      return { ...review, request: { ...request, [part]: change(partOf(request, part)) } };
    },
  };
}

const inMetadata = (says: string, fields: Json): Breakage =>
  inObject(says, (object) => ({ ...object, metadata: { ...partOf(object, 'metadata'), ...fields } }));

function onlyFor(operations: readonly string[], { says, broken }: Breakage): Breakage {
  return {
    says,
    broken: (review) =>
      operations.includes(String(partOf(review, 'request').operation)) ? broken(review) : null,
  };
}

const versions: readonly Breakage[] = [
  inReview('the review is of v1beta1', { apiVersion: 'admission.k8s.io/v1beta1' }),
  inReview('the review is of no version', { apiVersion: undefined }),
  inReview('the review is of another kind', { kind: 'ConversionReview' }),
  inReview('there is no request', { request: undefined }),
  inReview('the request is null', { request: null }),
  inReview('the request is a list', { request: [] }),
  inRequest('there is no uid', { uid: undefined }),
  inRequest('the uid is empty', { uid: '' }),
  inRequest('the uid is a number', { uid: 7 }),
  inPart('kind', 'another version', { version: 'v2' }),
  inPart('kind', 'another group', { group: 'attacker.example' }),
  inPart('kind', 'another kind', { kind: 'Pod' }),
  inPart('kind', 'a name that every object has', { kind: 'constructor' }),
  inPart('kind', '__proto__', { kind: '__proto__' }),
  inPart('resource', 'another version', { version: 'v1beta1' }),
  inPart('resource', 'another group', { group: '' }),
  inPart('resource', 'another resource', { resource: 'sandboxforks' }),
  inRequest('the subresource is scale', { subResource: 'scale' }),
  inRequest('the subresource is memory', { subResource: 'memory' }),
  inRequest('the subresource is status by case', { subResource: 'Status' }),
  inRequest('the subresource is a number', { subResource: 7 }),
  inRequest('the operation is CONNECT', { operation: 'CONNECT' }),
  inRequest('the operation is lower case', { operation: 'update' }),
  inRequest('there is no operation', { operation: undefined }),
];

const places: readonly Breakage[] = [
  inRequest('there is no namespace', { namespace: undefined }),
  inRequest('the namespace is empty', { namespace: '' }),
  inRequest('the namespace is another one than the object’s', { namespace: 'team-b' }),
  inMetadata('is in another namespace', { namespace: 'team-b' }),
  inMetadata('has a number for a namespace', { namespace: 7 }),
  onlyFor(['UPDATE'], inMetadata('has another name', { name: 'other' })),
  onlyFor(['UPDATE'], inRequest('the request has no name', { name: undefined })),
];

const objects: readonly Breakage[] = [
  onlyFor(['CREATE', 'UPDATE'], inRequest('the object is null', { object: null })),
  onlyFor(['UPDATE', 'DELETE'], inRequest('the old object is null', { oldObject: null })),
  onlyFor(['CREATE', 'UPDATE'], inRequest('the object is a list', { object: [] })),
  onlyFor(['CREATE', 'UPDATE'], inRequest('the object is text', { object: 'ws' })),
  inObject('is of another kind', (object) => ({ ...object, kind: 'ConfigMap' })),
  inObject('is of another version', (object) => ({ ...object, apiVersion: 'mitos.run/v2' })),
  inObject('has null metadata', (object) => ({ ...object, metadata: null })),
  inObject('has a list for metadata', (object) => ({ ...object, metadata: [] })),
  inObject('has a list for a spec', (object) => ({ ...object, spec: [] })),
  inMetadata('has a list for labels', { labels: ['workspace.mitos.run/hydrate'] }),
  inMetadata('has numbers for annotations', { annotations: { 'workspace.mitos.run/hydrate': 7 } }),
  inMetadata('has text for annotations', { annotations: 'workspace.mitos.run/hydrate' }),
];

const users: readonly Breakage[] = [
  inRequest('there is no user', { userInfo: undefined }),
  inRequest('the user is a list', { userInfo: ['alice'] }),
  inPart('userInfo', 'no name', { username: undefined }),
  inPart('userInfo', 'an empty name', { username: '' }),
  inPart('userInfo', 'a list for a name', { username: ['system:serviceaccount:mitos-system:controller'] }),
];

export const breakages: readonly Breakage[] = [...versions, ...places, ...objects, ...users];
