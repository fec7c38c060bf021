/**
 * A watch cache keeps each version of a pod until the next one comes: kept, it is frozen, and its spec is
 * hashed once instead of at every selection.
 * Invariant: a hash is remembered only of what can no longer change, so that the answer is that of
 * `podSpecHash` always.
 */
import { fieldOf, isObject } from '../json-values.ts';
import { podSpecHash } from './pod-view.ts';

/** By the frozen spec; undefined until it is first asked for. */
const kept = new WeakMap<object, string | null | undefined>();

/** Freezes a pod as it was read, all the way down, and hands it back. Total over JSON, however deep. */
export function keepPod<Pod>(pod: Pod): Pod {
  const left: unknown[] = [pod];
  const seen = new Set<unknown>();
  while (left.length > 0) {
    const value = left.pop();
    // Frozen by somebody else says nothing about what is inside.
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(Object.freeze(value));
    for (const field of Object.values(value)) left.push(field);
  }
  const spec = fieldOf(pod, 'spec');
  if (isObject(spec)) kept.set(spec, undefined);
  return pod;
}

/** `podSpecHash`, remembered for the pods that are kept. */
export function specHashOf(spec: unknown): string | null {
  if (!isObject(spec) || !kept.has(spec)) return podSpecHash(spec);
  const known = kept.get(spec);
  if (known !== undefined) return known;
  const computed = podSpecHash(spec);
  kept.set(spec, computed);
  return computed;
}
