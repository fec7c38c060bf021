/**
 * An AdmissionReview (admission.k8s.io/v1) on workspaces, revisions or claims, as strangers' JSON.
 * Invariant: total; what is not exactly a request of a kind that is known here is refused by name.
 */
import { apiGroup } from '#reference/contract/husk.ts';
import { fieldOf, isObject, textOf } from '../json-values.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';
export type Kind = 'Workspace' | 'WorkspaceRevision' | 'SandboxClaim';

export interface WorkspaceRequest {
  readonly kind: Kind;
  readonly subresource: '' | 'status';
  readonly operation: Operation;
  readonly username: string;
  /** null exactly for DELETE. */
  readonly object: unknown;
  /** null exactly for CREATE. */
  readonly oldObject: unknown;
}

const apiVersion = 'v1alpha1';
const resourceOf: Readonly<Record<Kind, string>> = {
  Workspace: 'workspaces',
  WorkspaceRevision: 'workspacerevisions',
  SandboxClaim: 'sandboxclaims',
};
const kinds = Object.keys(resourceOf) as readonly Kind[];
const operations: readonly unknown[] = ['CREATE', 'UPDATE', 'DELETE'] satisfies readonly Operation[];

/** The request, or the rule that refuses it. */
export function workspaceRequest(review: unknown): WorkspaceRequest | string {
  if (fieldOf(review, 'apiVersion') !== 'admission.k8s.io/v1') return 'review: of an unknown version';
  if (fieldOf(review, 'kind') !== 'AdmissionReview') return 'review: of an unknown kind';
  const request = fieldOf(review, 'request');
  if (textOf(fieldOf(request, 'uid')) === null) return 'request: no uid';
  const kind = kinds.find((one) => one === fieldOf(fieldOf(request, 'kind'), 'kind'));
  if (kind === undefined || !isKnown(request, kind))
    return 'request: of an unknown kind, resource or version';
  const subresource = fieldOf(request, 'subResource') ?? '';
  if (subresource !== '' && subresource !== 'status') return 'request: of an unknown subresource';
  const operation = fieldOf(request, 'operation');
  if (!isOperation(operation)) return 'request: of an unknown operation';
  const username = textOf(fieldOf(fieldOf(request, 'userInfo'), 'username'));
  if (username === null) return 'request: of nobody';
  const object = fieldOf(request, 'object') ?? null;
  const oldObject = fieldOf(request, 'oldObject') ?? null;
  const why = whyNotTheObjects(request, kind, operation, object, oldObject);
  return why ?? { kind, subresource, operation, username, object, oldObject };
}

function isOperation(value: unknown): value is Operation {
  return operations.includes(value);
}

/** Whatever version was asked for, the API server converts to the one that is registered. */
function isKnown(request: unknown, kind: Kind): boolean {
  const [ofKind, ofResource] = [fieldOf(request, 'kind'), fieldOf(request, 'resource')];
  return (
    [ofKind, ofResource].every(
      (one) => fieldOf(one, 'group') === apiGroup && fieldOf(one, 'version') === apiVersion,
    ) && fieldOf(ofResource, 'resource') === resourceOf[kind]
  );
}

function whyNotTheObjects(
  request: unknown,
  kind: Kind,
  operation: Operation,
  object: unknown,
  oldObject: unknown,
): string | null {
  if ((object === null) !== (operation === 'DELETE')) return 'request: object and operation differ';
  if ((oldObject === null) !== (operation === 'CREATE')) return 'request: old object and operation differ';
  const namespace = textOf(fieldOf(request, 'namespace'));
  if (namespace === null) return 'request: without a namespace';
  for (const one of [object, oldObject]) {
    if (one !== null && !isTheObject(one, kind, namespace)) {
      return 'object: malformed, of another kind or of another namespace';
    }
  }
  const name = textOf(fieldOf(request, 'name'));
  // A deletion of a collection has no name in its request, nor has a create with generateName.
  if (operation === 'CREATE' || (operation === 'DELETE' && name === null)) return null;
  return [object, oldObject].every(
    (one) => one === null || fieldOf(fieldOf(one, 'metadata'), 'name') === name,
  )
    ? null
    : 'object: of another name than the request';
}

function isTheObject(object: unknown, kind: Kind, namespace: string): boolean {
  const metadata = fieldOf(object, 'metadata');
  if (fieldOf(object, 'kind') !== kind) return false;
  if (fieldOf(object, 'apiVersion') !== `${apiGroup}/${apiVersion}`) return false;
  if (!isObject(metadata) || (fieldOf(metadata, 'namespace') ?? namespace) !== namespace) return false;
  const spec = fieldOf(object, 'spec') ?? {};
  if (!isObject(spec)) return false;
  return ['labels', 'annotations'].every((field) => isAbsentOrTexts(fieldOf(metadata, field)));
}

function isAbsentOrTexts(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return isObject(value) && Object.values(value).every((one) => typeof one === 'string');
}
