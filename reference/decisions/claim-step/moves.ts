/** The writes and calls of claim-step, each with its precondition and deadline. */
import { claimFinalizer, claimLabel, type HuskRecord } from '#reference/contract/husk.ts';
import type { SelectedPod } from '../select-husk/select-husk.ts';
import type {
  ClaimAction,
  ClaimConfig,
  ClaimMemory,
  ClaimStep,
  Owner,
  Precondition,
  Purpose,
  Reached,
} from './claim-events.ts';

export function none(state: ClaimMemory, rule: string): ClaimStep {
  return { state, actions: [], rule };
}

export function act(state: ClaimMemory, action: ClaimAction, rule: string): ClaimStep {
  return { state, actions: [action], rule };
}

/** A write to the owner's status: a resourceVersion is all that guards it, a UID would be ignored there. */
export function patchStatus(
  config: ClaimConfig,
  owner: Owner,
  resourceVersion: string,
  purpose: Purpose,
  status: Readonly<Record<string, unknown>>,
): ClaimAction {
  return {
    kind: 'patch',
    purpose,
    target: { kind: owner.kind, namespace: owner.namespace, name: owner.name },
    subresource: 'status',
    precondition: { resourceVersion },
    patch: { status },
    deadlineMs: config.writeDeadlineMs,
  };
}

export function patchFinalizers(
  config: ClaimConfig,
  owner: Owner,
  resourceVersion: string,
  finalizers: readonly string[],
  purpose: 'finalize' | 'unfinalize',
): ClaimAction {
  const rest = finalizers.filter((one) => one !== claimFinalizer);
  return {
    kind: 'patch',
    purpose,
    target: { kind: owner.kind, namespace: owner.namespace, name: owner.name },
    subresource: null,
    precondition: { uid: owner.uid, resourceVersion },
    patch: { metadata: { finalizers: purpose === 'finalize' ? [...rest, claimFinalizer] : rest } },
    deadlineMs: config.writeDeadlineMs,
  };
}

const recordTarget = (config: ClaimConfig, { pod }: HuskRecord) =>
  ({ kind: 'HuskRecord', namespace: config.controllerNamespace, name: pod.uid }) as const;

/** Warm → held, once: of all who try, one is answered `done`. */
export function markRecord(config: ClaimConfig, record: HuskRecord, holder: string): ClaimAction {
  return {
    kind: 'patch',
    purpose: 'mark',
    target: recordTarget(config, record),
    subresource: null,
    precondition: { resourceVersion: record.resourceVersion },
    patch: { holder },
    deadlineMs: config.writeDeadlineMs,
  };
}

/** Under the resourceVersion that was judged: a pod that changed since is not labelled but judged again. */
export function labelPod(config: ClaimConfig, pod: SelectedPod, holder: string): ClaimAction {
  const { namespace, name, uid, resourceVersion } = pod;
  return {
    kind: 'patch',
    purpose: 'label',
    target: { kind: 'Pod', namespace, name },
    subresource: null,
    precondition: { uid, resourceVersion },
    patch: { metadata: { labels: { [claimLabel]: holder } } },
    deadlineMs: config.writeDeadlineMs,
  };
}

/** A name that nobody can take beforehand, data that nobody can change, an owner by UID. */
export function createToken(config: ClaimConfig, owner: Owner): ClaimAction {
  const reference = {
    apiVersion: 'mitos.run/v1alpha1',
    kind: owner.kind,
    name: owner.name,
    uid: owner.uid,
    controller: true,
    blockOwnerDeletion: false,
  };
  return {
    kind: 'create',
    purpose: 'token',
    object: {
      kind: 'Secret',
      metadata: {
        namespace: owner.namespace,
        generateName: 'sandbox-token-',
        ownerReferences: [reference],
      },
      immutable: true,
    },
    deadlineMs: config.writeDeadlineMs,
  };
}

export function deleteObject(
  config: ClaimConfig,
  kind: 'Pod' | 'Secret',
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
  purpose: 'delete-pod' | 'revoke',
): ClaimAction {
  const precondition: Precondition = { uid };
  return {
    kind: 'delete',
    purpose,
    target: { kind, namespace, name },
    precondition,
    deadlineMs: config.writeDeadlineMs,
  };
}

export function deleteRecord(config: ClaimConfig, record: HuskRecord): ClaimAction {
  return {
    kind: 'delete',
    purpose: 'forget',
    target: recordTarget(config, record),
    precondition: { resourceVersion: record.resourceVersion },
    deadlineMs: config.writeDeadlineMs,
  };
}

export function readAgain(config: ClaimConfig): ClaimAction {
  return { kind: 'read', deadlineMs: config.writeDeadlineMs };
}

/** How a pod is reached: at its address, as itself and nobody else. */
export function reached({ namespace, name, uid, address }: SelectedPod, holder: string): Reached {
  return {
    pod: { namespace, name, uid },
    address,
    identity: { namespace, podUid: uid },
    holder,
  };
}
