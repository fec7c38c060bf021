/**
 * Claims, workspaces, revisions, accounts, stamps and bindings as a resume reads them.
 * Invariant: total; a field of the wrong type is an absent field, and an absent field never helps.
 */
import type { Author, Principal } from '#reference/contract/admission.ts';
import { headField, memoryField, memoryPrincipalField } from '#reference/contract/workspace.ts';
import { isDnsSubdomain } from '../dns-1123.ts';
import { fieldOf, isObject, textOf } from '../json-values.ts';
import { specHashOf } from '../spec-hash.ts';

export interface ObjectId {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ClaimView extends ObjectId {
  /** null: none, or no DNS-1123 name. */
  readonly serviceAccount: string | null;
  readonly workspace: string | null;
  /** null: the spec is no object, or nested too deeply. */
  readonly specHash: string | null;
}

export interface RevisionView extends ObjectId {
  readonly memory: string | null;
  readonly principal: string | null;
}

export interface BindingView {
  readonly memory: string;
  readonly workspace: ObjectId;
  readonly revisionUid: string;
  readonly principal: Principal;
}

/** What stands in `metadata`; null when one of the three is missing. */
export function objectIdOf(object: unknown): ObjectId | null {
  return idIn(fieldOf(object, 'metadata'));
}

function idIn(value: unknown): ObjectId | null {
  const namespace = textOf(fieldOf(value, 'namespace'));
  const name = textOf(fieldOf(value, 'name'));
  const uid = textOf(fieldOf(value, 'uid'));
  return namespace === null || name === null || uid === null ? null : { namespace, name, uid };
}

export function claimView(claim: unknown): ClaimView | null {
  const id = objectIdOf(claim);
  if (id === null) return null;
  const spec = fieldOf(claim, 'spec');
  const account = fieldOf(spec, 'serviceAccount');
  return {
    ...id,
    serviceAccount: isDnsSubdomain(account) ? account : null,
    workspace: textOf(fieldOf(spec, 'workspaceRef')),
    specHash: specHashOf(spec),
  };
}

/** UID of the head that the status of a workspace names. */
export function headUidOf(workspace: unknown): string | null {
  return textOf(fieldOf(fieldOf(fieldOf(workspace, 'status'), headField), 'uid'));
}

export function revisionView(revision: unknown): RevisionView | null {
  const id = objectIdOf(revision);
  const spec = fieldOf(revision, 'spec');
  if (id === null) return null;
  const memory = textOf(fieldOf(spec, memoryField));
  return { ...id, memory, principal: textOf(fieldOf(spec, memoryPrincipalField)) };
}

export function isTerminating(object: unknown): boolean {
  const deletion = fieldOf(fieldOf(object, 'metadata'), 'deletionTimestamp');
  return deletion !== undefined && deletion !== null;
}

/** null when a part is missing, or the name is no DNS-1123 name: such an account is nobody. */
export function principalOf(value: unknown): Principal | null {
  const id = idIn(value);
  return id !== null && isDnsSubdomain(id.name) ? id : null;
}

/** A service account is an object like any other: made again under its name it is another one. */
export function sameObject(one: ObjectId, other: ObjectId): boolean {
  return one.namespace === other.namespace && one.name === other.name && one.uid === other.uid;
}

/** null when it is not exactly what a review can be asked with. */
export function authorOf(value: unknown): Author | null {
  const username = textOf(fieldOf(value, 'username'));
  const uid = fieldOf(value, 'uid');
  const groups = fieldOf(value, 'groups');
  const extra = fieldOf(value, 'extra');
  if (username === null || typeof uid !== 'string' || !isTexts(groups) || !isObject(extra)) return null;
  const entries: [string, readonly string[]][] = [];
  for (const [key, values] of Object.entries(extra)) {
    if (!isTexts(values)) return null;
    entries.push([key, values]);
  }
  return { username, uid, groups, extra: Object.fromEntries(entries) };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** null: unreadable, or without a principal. */
export function bindingView(binding: unknown): BindingView | null {
  const memory = textOf(fieldOf(binding, 'memory'));
  const workspace = idIn(fieldOf(binding, 'workspace'));
  const revisionUid = textOf(fieldOf(binding, 'revisionUid'));
  const principal = principalOf(fieldOf(binding, 'principal'));
  if (memory === null || workspace === null || revisionUid === null || principal === null) return null;
  return { memory, workspace, revisionUid, principal };
}
