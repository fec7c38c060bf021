/**
 * Takes a held husk out of the world: the pod by its UID, then its record.
 * Invariant: the record goes only after the API server answered for the pod, so that no crash leaves a pod
 * that no record names.
 */
import type { HuskRecord } from '#reference/contract/husk.ts';
import type { ClaimConfig, ClaimMemory, ClaimStep } from './claim-events.ts';
import { act, deleteObject, deleteRecord } from './moves.ts';

export function reap(config: ClaimConfig, state: ClaimMemory, record: HuskRecord, why: string): ClaimStep {
  const { pod } = record;
  if (state.deleted.includes(pod.uid)) {
    return act(state, deleteRecord(config, record), `${why}: its record goes`);
  }
  return act(state, deleteObject(config, 'Pod', pod, 'delete-pod'), `${why}: its pod goes`);
}
