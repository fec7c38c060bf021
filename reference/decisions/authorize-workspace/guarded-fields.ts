/**
 * What nobody but the controller writes: heads, memory and its principal, status, and what steers a
 * workspace.
 * Invariant: two objects with equal guarded text differ in nothing that a resume, hydrate or dehydrate
 * reads; what has no text is never equal.
 */
import { steeringAnnotationPrefix } from '#reference/contract/admission.ts';
import { canonicalText, fieldOf, isObject, type JsonObject, objectOf } from '../json-values.ts';
import type { Kind } from './workspace-request.ts';

/** In the spec of a workspace, what begins so is the controller's, fields of later versions included. */
const guardedSpecPrefixes = ['memory', 'head', 'revision'];

type Guarded = (kind: Kind, object: unknown) => unknown;

const steering: Guarded = (_kind, object) => {
  const metadata = fieldOf(object, 'metadata');
  return ['labels', 'annotations'].map((field) => matching(fieldOf(metadata, field), isSteering));
};

const head: Guarded = (kind, object) =>
  kind === 'Workspace' ? matching(fieldOf(object, 'spec'), isGuardedSpec) : {};

const beyondSpec: Guarded = (_kind, object) => matching(object, isBeyondSpec);

/** In the order in which a difference is named. */
const guarded: readonly (readonly [string, Guarded])[] = [
  ['what steers hydrate and dehydrate', steering],
  ['heads, revisions, memory and its principal', head],
  ['status', beyondSpec],
];

/** The first guarded part that differs; null when all are equal. An absent object has nothing guarded. */
export function guardedChange(kind: Kind, before: unknown, after: unknown): string | null {
  for (const [says, part] of guarded) {
    const text = canonicalText(part(kind, after));
    if (text === null || text !== canonicalText(part(kind, before))) return says;
  }
  return null;
}

/** Fields whose names match and that hold anything: an empty status is none. */
function matching(value: unknown, matches: (name: string) => boolean): JsonObject {
  const entries = Object.entries(objectOf(value)).filter(([name, field]) => matches(name) && !isEmpty(field));
  return Object.fromEntries(entries);
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (isObject(value) && Object.keys(value).length === 0);
}

/** Annotation keys may have capitals. */
function isSteering(name: string): boolean {
  return name.toLowerCase().startsWith(steeringAnnotationPrefix);
}

function isGuardedSpec(name: string): boolean {
  return guardedSpecPrefixes.some((prefix) => name.toLowerCase().startsWith(prefix));
}

function isBeyondSpec(name: string): boolean {
  return !['apiVersion', 'kind', 'metadata', 'spec'].includes(name);
}
