/**
 * findings.md F3, Published: "the pod must carry a controller reference, kind: SandboxPool, naming the pool,
 * blockOwnerDeletion: true. The owner UID is deliberately not compared." Observed: "only the first
 * controller reference counts, apiVersion is not read; namespace, husk and pool label, Running, not
 * terminating, a podIP and the first Ready condition count; a claim label with an empty value is free;
 * lowest name wins". Everything but an activation: "fetched by predictable name only".
 */
import type { Bind, InputOf } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';
import {
  firstCondition,
  isRunning,
  labelsOf,
  lowestName,
  type PodObject,
  podObject,
  reach,
  type SelectHuskOutput,
} from './husk-pods.ts';

export function acceptsOwner(pod: PodObject, pool: string): boolean {
  const owner = (pod.metadata?.ownerReferences ?? []).find(({ controller }) => controller === true);
  return owner?.kind === 'SandboxPool' && owner.name === pool && owner.blockOwnerDeletion === true;
}

export function selectBy(
  accepts: (pod: PodObject, pool: string) => boolean,
  { pool, pods, operation, podName }: InputOf<typeof selectHusk>,
): SelectHuskOutput {
  const all = pods.map(podObject);
  if (operation !== 'activate') {
    return reach(
      all.find(({ metadata }) => metadata?.namespace === pool.namespace && metadata.name === podName),
      'fetched by its name',
    );
  }
  const free = all.filter((pod) => {
    const labels = labelsOf(pod);
    return (
      pod.metadata?.namespace === pool.namespace &&
      labels['mitos.run/husk'] === 'true' &&
      labels['mitos.run/pool'] === pool.name &&
      (labels['mitos.run/claim'] ?? '') === '' &&
      isRunning(pod) &&
      firstCondition(pod, 'Ready')?.status === 'True' &&
      accepts(pod, pool.name)
    );
  });
  return reach(lowestName(free), 'Running, Ready, labelled, free');
}

export const bind: Bind<typeof selectHusk> = () => (input) => selectBy(acceptsOwner, input);
