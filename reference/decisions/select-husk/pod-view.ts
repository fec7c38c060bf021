/**
 * What a husk pod says about itself, read from the object as the API server stores it.
 * Invariant: total; a field of the wrong type is an absent field, and an absent field never helps the pod.
 */
import { hash } from 'node:crypto';
import { canonicalText, fieldOf, isObject, listOf, objectOf, textOf } from '../json-values.ts';

/**
 * SHA-256 of a pod's spec without `nodeName`, which the scheduler adds; null when the spec is no object or
 * nested too deeply. Taken of the API server's answer to the controller's own create, so that defaults and
 * admission's additions are in it.
 */
export function podSpecHash(spec: unknown): string | null {
  if (!isObject(spec)) return null;
  const { nodeName: _scheduled, ...rest } = spec;
  const text = canonicalText(rest);
  return text === null ? null : hash('sha256', text);
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** null when one of the four is missing: then nothing can be written under a precondition. */
export function podNameOf(pod: unknown): PodName | null {
  const metadata = fieldOf(pod, 'metadata');
  const namespace = textOf(fieldOf(metadata, 'namespace'));
  const name = textOf(fieldOf(metadata, 'name'));
  const uid = textOf(fieldOf(metadata, 'uid'));
  const resourceVersion = textOf(fieldOf(metadata, 'resourceVersion'));
  if (namespace === null || name === null || uid === null || resourceVersion === null) return null;
  return { namespace, name, uid, resourceVersion };
}

/** A label's value; undefined when it is absent or no string. */
export function labelOf(pod: unknown, label: string): string | undefined {
  const value = fieldOf(fieldOf(fieldOf(pod, 'metadata'), 'labels'), label);
  return typeof value === 'string' ? value : undefined;
}

/** Why the pod's state forbids to reach it; null when it runs, is ready and was never restarted. */
export function whyNotRunning(pod: unknown): string | null {
  const status = objectOf(fieldOf(pod, 'status'));
  if (isTerminating(pod)) return 'terminating';
  if (fieldOf(status, 'phase') !== 'Running') return 'not Running';
  const ready = listOf(fieldOf(status, 'conditions')).filter((one) => fieldOf(one, 'type') === 'Ready');
  // A status may hold a condition twice: all of them count.
  if (ready.length === 0 || ready.some((one) => fieldOf(one, 'status') !== 'True')) return 'not Ready';
  if (listOf(fieldOf(status, 'ephemeralContainerStatuses')).length > 0) return 'drift: ephemeral container';
  const containers = ['initContainerStatuses', 'containerStatuses'].flatMap((list) =>
    listOf(fieldOf(status, list)),
  );
  if (containers.some((one) => fieldOf(one, 'restartCount') !== 0)) return 'drift: restarted container';
  return null;
}

/** kubelet reports every container that runs: one without status may have been restarted any number of times. */
export function whyNotReported(pod: unknown): string | null {
  const statuses = listOf(fieldOf(fieldOf(pod, 'status'), 'containerStatuses'));
  const reported = new Set(statuses.map((one) => fieldOf(one, 'name')));
  const containers = listOf(fieldOf(fieldOf(pod, 'spec'), 'containers'));
  return containers.every((one) => reported.has(fieldOf(one, 'name')))
    ? null
    : 'drift: a container without status';
}

function isTerminating(pod: unknown): boolean {
  const deletion = fieldOf(fieldOf(pod, 'metadata'), 'deletionTimestamp');
  return deletion !== undefined && deletion !== null;
}

/** It serves no more, or will not for long. */
export function isEnding(pod: unknown): boolean {
  return isTerminating(pod) || hasEnded(pod);
}

/** All addresses that a status names, as they stand there. */
export function addressesOf(pod: unknown): readonly unknown[] {
  const status = fieldOf(pod, 'status');
  const single = fieldOf(status, 'podIP');
  const many = listOf(fieldOf(status, 'podIPs')).map((one) => fieldOf(one, 'ip'));
  return single === undefined || single === null || single === '' ? many : [single, ...many];
}

/** The addresses of the pod's node, as they stand there. */
export function nodeAddressesOf(pod: unknown): readonly unknown[] {
  const status = fieldOf(pod, 'status');
  return [fieldOf(status, 'hostIP'), ...listOf(fieldOf(status, 'hostIPs')).map((one) => fieldOf(one, 'ip'))];
}

/** A pod that came to its end keeps its address in its status, and another pod may have it since. */
export function hasEnded(pod: unknown): boolean {
  const phase = fieldOf(fieldOf(pod, 'status'), 'phase');
  return phase === 'Succeeded' || phase === 'Failed';
}
