/**
 * authorize-workspace: who writes workspaces, revisions, their status and what steers hydrate and dehydrate.
 * Invariant: only the controller writes what a resume rests on. Authors have their Workspaces, and nothing of
 * the head, the memory or the principal in them; the garbage collector takes away and never adds.
 */
import { canonicalText, fieldOf, isObject, listOf, objectOf } from '../json-values.ts';
import { guardedChange } from './guarded-fields.ts';
import { type WorkspaceRequest, workspaceRequest } from './workspace-request.ts';

export interface WorkspacePolicy {
  /** User names of the controller, compared exactly; groups say nothing. */
  readonly controllers: readonly string[];
  /** User names of the garbage collector and the namespace controller. */
  readonly collectors: readonly string[];
}

export interface WorkspaceVerdict {
  readonly verdict: 'allow' | 'deny';
  readonly rule: string;
}

const allow = (rule: string): WorkspaceVerdict => ({ verdict: 'allow', rule });
const deny = (rule: string): WorkspaceVerdict => ({ verdict: 'deny', rule });

/** Total: anything that is no request is denied. */
export function authorizeWorkspace(policy: WorkspacePolicy, review: unknown): WorkspaceVerdict {
  const request = workspaceRequest(review);
  if (typeof request === 'string') return deny(request);
  if (policy.controllers.includes(request.username)) return allow('the controller');
  if (request.subresource === 'status') return deny('status: only the controller writes it');
  if (policy.collectors.includes(request.username)) return judgeCollector(request);
  if (request.kind === 'WorkspaceRevision') return deny('revision: only the controller writes it');
  return judgeAuthor(request);
}

function judgeAuthor({ kind, operation, object, oldObject }: WorkspaceRequest): WorkspaceVerdict {
  // A deletion takes the head away with its workspace; the revisions follow by garbage collection.
  if (operation === 'DELETE') return allow('its author deletes it');
  const changed = guardedChange(kind, oldObject, object);
  return changed === null
    ? allow('nothing that only the controller writes')
    : deny(`only the controller writes ${changed}`);
}

/** Deletes, and takes its finalizers and owner references off what is deleted or orphaned. */
function judgeCollector({ operation, object, oldObject }: WorkspaceRequest): WorkspaceVerdict {
  if (operation === 'DELETE') return allow('the garbage collector deletes');
  if (operation !== 'UPDATE') return deny('the garbage collector creates nothing');
  const rest = canonicalText(withoutReferences(object));
  if (rest === null || rest !== canonicalText(withoutReferences(oldObject))) {
    return deny('the garbage collector changes nothing but references');
  }
  if (!['finalizers', 'ownerReferences'].every((field) => onlyTakesAway(field, oldObject, object))) {
    return deny('the garbage collector adds no references');
  }
  return keepsFinalizers(oldObject, object)
    ? allow('the garbage collector takes references away')
    : deny('the garbage collector takes no finalizers off but its own');
}

/** What the controller has to erase first keeps its finalizer. */
const ownFinalizers: readonly unknown[] = ['foregroundDeletion', 'orphan'];

function keepsFinalizers(before: unknown, after: unknown): boolean {
  const now = entriesOf('finalizers', after);
  return entriesOf('finalizers', before).every((one) => ownFinalizers.includes(one) || now.includes(one));
}

function entriesOf(field: string, object: unknown): readonly unknown[] {
  return listOf(fieldOf(fieldOf(object, 'metadata'), field));
}

/** What the API server itself moves with every write is left out too. */
const moving = ['finalizers', 'ownerReferences', 'resourceVersion', 'generation', 'managedFields'];

function withoutReferences(object: unknown): unknown {
  const metadata = Object.entries(objectOf(fieldOf(object, 'metadata'))).filter(
    ([name]) => !moving.includes(name),
  );
  return { ...objectOf(object), metadata: Object.fromEntries(metadata) };
}

/** An owner reference may lose its `blockOwnerDeletion`, nothing else of it changes. */
function onlyTakesAway(field: string, before: unknown, after: unknown): boolean {
  const old = entriesOf(field, before).map(unblocked);
  const now = entriesOf(field, after).map(unblocked);
  return now.every((one) => one !== null && old.includes(one));
}

function unblocked(reference: unknown): string | null {
  return canonicalText(isObject(reference) ? { ...reference, blockOwnerDeletion: false } : reference);
}
