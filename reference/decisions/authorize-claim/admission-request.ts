/**
 * Reads a whole AdmissionReview (admission.k8s.io/v1) of a SandboxClaim.
 * Invariant: total; a review of another version, kind or resource, without uid, or whose parts contradict
 * each other is refused by name, never passed over.
 */
import type { Author } from '#reference/contract/admission.ts';
import { apiGroup } from '#reference/contract/husk.ts';
import { isDnsLabel } from '../dns-1123.ts';
import { fieldOf, isObject, type JsonObject, textOf } from '../json-values.ts';
import { Refusal } from './refusal.ts';

/** The one version of claims that is judged: the API server converts every other one to it first. */
export const claimVersion = 'v1alpha1';
const claimKind = 'SandboxClaim';
const claimPlural = 'sandboxclaims';

/** DELETE takes nothing along that admission gave: it is allowed, and nothing else of it is read. */
export type AdmissionRequest = { readonly operation: 'DELETE' } | ClaimWrite;

export interface ClaimWrite {
  readonly operation: 'CREATE' | 'UPDATE';
  readonly subresource: '' | 'status';
  readonly namespace: string;
  /** null: the API server will generate it, after admission. */
  readonly name: string | null;
  readonly author: Author;
  readonly object: JsonObject;
  /** null on CREATE. */
  readonly oldObject: JsonObject | null;
}

export function readRequest(review: unknown): AdmissionRequest | Refusal {
  if (
    fieldOf(review, 'apiVersion') !== 'admission.k8s.io/v1' ||
    fieldOf(review, 'kind') !== 'AdmissionReview'
  ) {
    return new Refusal(
      400,
      'review: of an unknown version or kind',
      'apiVersion, kind: this webhook speaks AdmissionReview of admission.k8s.io/v1; list v1 in admissionReviewVersions',
    );
  }
  const request = fieldOf(review, 'request');
  if (textOf(fieldOf(request, 'uid')) === null) {
    return new Refusal(
      400,
      'review: without uid',
      'request.uid: missing; the API server sets it on every review',
    );
  }
  const other = whyNotAClaim(request);
  if (other !== null) return other;
  const subresource = absentAsEmpty(fieldOf(request, 'subResource'));
  const asked = absentAsEmpty(fieldOf(request, 'requestSubResource'));
  // requestSubResource is a word of the API server's own; where it is there, both name the same.
  if ((subresource !== '' && subresource !== 'status') || (asked !== '' && asked !== subresource)) {
    return new Refusal(
      403,
      'request: of an unknown subresource',
      'request.subResource: claims have no subresource but status; write the claim itself',
    );
  }
  const operation = fieldOf(request, 'operation');
  if (operation === 'DELETE' && subresource === '') return { operation };
  if (operation !== 'UPDATE' && (operation !== 'CREATE' || subresource !== '')) {
    return new Refusal(
      403,
      'request: of an unknown operation',
      'request.operation: claims are created, updated and deleted; register the webhook for those alone',
    );
  }
  return readWrite(request, operation, subresource);
}

function whyNotAClaim(request: unknown): Refusal | null {
  const isClaim =
    names(request, 'kind', claimKind, [claimVersion]) &&
    names(request, 'resource', claimPlural, [claimVersion]) &&
    // These two are of the version that the client spoke, whichever that is: the API server converted it.
    (isAbsent(request, 'requestKind') || names(request, 'requestKind', claimKind, null)) &&
    (isAbsent(request, 'requestResource') || names(request, 'requestResource', claimPlural, null));
  if (isClaim) return null;
  return new Refusal(
    403,
    'request: not of a SandboxClaim in a known version',
    `request.kind, request.resource: this webhook judges ${claimPlural}.${apiGroup}/${claimVersion}; register it for those alone, with matchPolicy Equivalent`,
  );
}

function names(request: unknown, field: string, own: string, versions: readonly string[] | null): boolean {
  const value = fieldOf(request, field);
  const version = textOf(fieldOf(value, 'version'));
  return (
    fieldOf(value, 'group') === apiGroup &&
    fieldOf(value, own === claimKind ? 'kind' : 'resource') === own &&
    version !== null &&
    versions?.includes(version) !== false
  );
}

function isAbsent(request: unknown, field: string): boolean {
  const value = fieldOf(request, field);
  return value === undefined || value === null;
}

function readWrite(
  request: unknown,
  operation: 'CREATE' | 'UPDATE',
  subresource: '' | 'status',
): ClaimWrite | Refusal {
  const namespace = fieldOf(request, 'namespace');
  if (!isDnsLabel(namespace)) {
    return new Refusal(
      400,
      'request: without a namespace',
      'request.namespace: claims are namespaced; name one',
    );
  }
  const author = authorOf(fieldOf(request, 'userInfo'));
  if (author === null) {
    return new Refusal(
      400,
      'request: userInfo is unreadable',
      'request.userInfo: nobody can be asked about; it needs a username, and lists of strings as groups and extra',
    );
  }
  const name = absentAsEmpty(fieldOf(request, 'name'));
  const object = readClaim(fieldOf(request, 'object'), 'object', namespace, name);
  if (object instanceof Refusal) return object;
  const named = textOf(name) ?? textOf(fieldOf(fieldOf(object, 'metadata'), 'name'));
  if (operation === 'CREATE')
    return { operation, subresource, namespace, name: named, author, object, oldObject: null };
  const oldObject = readClaim(fieldOf(request, 'oldObject'), 'oldObject', namespace, named);
  if (oldObject instanceof Refusal) return oldObject;
  return { operation, subresource, namespace, name: named, author, object, oldObject };
}

/** The claim, when it says of itself what the request says of it. */
function readClaim(value: unknown, field: string, namespace: string, name: unknown): JsonObject | Refusal {
  const metadata = fieldOf(value, 'metadata');
  const annotations = fieldOf(metadata, 'annotations');
  if (
    !isObject(value) ||
    !isObject(metadata) ||
    fieldOf(value, 'apiVersion') !== `${apiGroup}/${claimVersion}` ||
    fieldOf(value, 'kind') !== claimKind ||
    !(annotations === undefined || annotations === null || isObject(annotations))
  ) {
    return new Refusal(
      400,
      `request: ${field} is no SandboxClaim`,
      `request.${field}: send a ${claimKind} of ${apiGroup}/${claimVersion} with metadata, annotations as a map`,
    );
  }
  const own = absentAsEmpty(fieldOf(metadata, 'namespace'));
  if (own !== '' && own !== namespace) {
    return new Refusal(
      403,
      `request: ${field} is of another namespace`,
      `request.${field}.metadata.namespace: differs from the namespace of the request; create the claim in its own`,
    );
  }
  const ownName = absentAsEmpty(fieldOf(metadata, 'name'));
  if (typeof ownName !== 'string' || (name !== '' && name !== null && ownName !== '' && ownName !== name)) {
    return new Refusal(
      400,
      `request: ${field} is of another name`,
      `request.${field}.metadata.name: differs from the name of the request; send one name`,
    );
  }
  return value;
}

/** Exactly as it came; null when it could be forwarded in part only. */
function authorOf(userInfo: unknown): Author | null {
  const username = textOf(fieldOf(userInfo, 'username'));
  const uid = absentAsEmpty(fieldOf(userInfo, 'uid'));
  const groups = fieldOf(userInfo, 'groups') ?? [];
  const extra = fieldOf(userInfo, 'extra') ?? {};
  if (username === null || typeof uid !== 'string' || !isTextList(groups) || !isObject(extra)) return null;
  if (!Object.values(extra).every(isTextList)) return null;
  return { username, uid, groups, extra: extra as Author['extra'] };
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** The API server leaves empty fields out. */
function absentAsEmpty(value: unknown): unknown {
  return value === undefined || value === null ? '' : value;
}
