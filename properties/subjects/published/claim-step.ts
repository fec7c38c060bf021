/**
 * findings.md F3, Observed on the original: "The pod is marked by an optimistic-lock label patch with the
 * claim's name; then TLS 1.3 to podIP, peer verified against the CA and SAN (nothing specific to the pod),
 * then secrets and token in clear inside it, with no deadline anywhere". Which pod was marked is known to
 * the process alone: "kill -9 between mark and status: a second pod, secrets delivered twice, two tokens".
 * "deleting a claim deletes any pod labelled with its name"; "a tenant's immutable <claim>-sandbox-token
 * fails the victim's claim for good"; a peer that refuses is tried again at once, for ever; "a deposed
 * leader goes on".
 */
import type { claimStep } from '../../protocol/claim-step.ts';
import type { Bind, InputOf, OutputOf } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';
import { labelsOf, type PodObject, podObject } from './husk-pods.ts';
import { acceptsOwner, selectBy } from './select-husk.ts';

type Event = InputOf<typeof claimStep>['event'];
type Output = OutputOf<typeof claimStep>;
type Action = Output['actions'][number];
type Selected = NonNullable<OutputOf<typeof selectHusk>['pod']>;

/** In the process, lost with it. */
interface Memory {
  readonly pod: Selected | null;
  readonly marked: boolean;
  readonly token: { readonly name: string; readonly uid: string } | null;
  readonly delivered: boolean;
  /** Of a fork: how many children were served. */
  readonly children: number;
}

const atStart: Memory = {
  pod: null,
  marked: false,
  token: null,
  delivered: false,
  children: 0,
};

interface ClaimObject {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
  readonly spec?: {
    readonly secrets?: unknown;
    readonly sourceRef?: string;
    readonly replicas?: number;
  };
  readonly status?: { readonly phase?: string; readonly retries?: number };
}

/** Its client has no deadline of its own; what the protocol wants of writes is the client library's. */
const clientDeadlineMs = 30_000;
const finalizer = 'mitos.run/husk';

type Accepts = (pod: PodObject, pool: string) => boolean;

export function claimHandling(accepts: Accepts): Bind<typeof claimStep> {
  return () =>
    ({ state, event }) => {
      const memory = remember((state ?? atStart) as Memory, event);
      const claim = event.object as ClaimObject | null;
      if (claim === null) return remove(memory, event);
      if (claim.metadata.uid !== event.owner.uid) return idle(memory, 'another claim of that name');
      if (claim.metadata.deletionTimestamp !== undefined) return terminate(memory, event, claim);
      if (!(claim.metadata.finalizers ?? []).includes(finalizer)) {
        return does(
          memory,
          patch(event, claim, 'finalize', { metadata: { finalizers: [finalizer] } }),
          'finalizer',
        );
      }
      const phase = claim.status?.phase;
      if (phase === 'Ready' || phase === 'Failed') return idle(memory, 'done');
      return event.owner.kind === 'SandboxFork'
        ? fork(memory, event, claim)
        : activate(memory, event, claim, accepts);
    };
}

export const bind: Bind<typeof claimStep> = claimHandling(acceptsOwner);

const idle = (state: Memory, rule: string): Output => ({ state, actions: [], rule });
const does = (state: Memory, action: Action, rule: string): Output => ({ state, actions: [action], rule });

function remember(memory: Memory, { last }: Event): Memory {
  if (last === null) return memory;
  if (last.of === 'write') {
    if (last.purpose === 'mark') return last.result === 'done' ? { ...memory, marked: true } : atStart;
    if (last.purpose === 'token' && last.result === 'done') {
      return { ...memory, token: last.created ?? { name: 'sandbox-token', uid: '' } };
    }
    return memory;
  }
  if (last.of === 'deliver' && last.result === 'done') {
    return { ...memory, delivered: true, children: memory.children + 1 };
  }
  return memory;
}

function patch({ owner }: Event, claim: ClaimObject, purpose: string, body: Record<string, unknown>): Action {
  const status = 'status' in body ? 'status' : null;
  return {
    kind: 'patch',
    purpose,
    target: { kind: owner.kind, namespace: owner.namespace, name: owner.name },
    subresource: status,
    precondition: { resourceVersion: claim.metadata.resourceVersion },
    patch: body,
    deadlineMs: clientDeadlineMs,
  };
}

function activate(memory: Memory, event: Event, claim: ClaimObject, accepts: Accepts): Output {
  const { pods, pool, owner } = event;
  if (memory.pod === null || !memory.marked) {
    if (pool === null) return idle(memory, 'no pool');
    const { pod } = selectBy(accepts, {
      pool,
      pods,
      ledger: [],
      operation: 'activate',
      holder: owner.uid,
      podUid: null,
      podName: null,
    });
    if (pod === null) return does(atStart, { kind: 'wait', afterMs: 1_000 }, 'no pod is free');
    const mark: Action = {
      kind: 'patch',
      purpose: 'mark',
      target: { kind: 'Pod', namespace: pod.namespace, name: pod.name },
      subresource: null,
      precondition: { resourceVersion: pod.resourceVersion },
      patch: { metadata: { labels: { 'mitos.run/claim': owner.name } } },
      deadlineMs: clientDeadlineMs,
    };
    return does({ ...memory, pod, marked: false }, mark, 'mark it with the name of the claim');
  }
  if (memory.delivered) {
    const status = { phase: 'Ready', sandboxID: memory.pod.uid, endpoint: memory.pod.address };
    return does(memory, patch(event, claim, 'publish', { status }), 'publish');
  }
  if (memory.token === null) return mintToken(memory, event, claim);
  const { last } = event;
  if (last?.of === 'deliver' && last.result === 'refused') {
    const retries = (claim.status?.retries ?? 0) + 1;
    return does(
      memory,
      patch(event, claim, 'retry', { status: { phase: 'Restoring', retries } }),
      'refused: again',
    );
  }
  const secrets = secretRefs(claim.spec?.secrets);
  if (secrets === null) return idle(memory, 'a list of another type does not decode');
  return does(memory, deliver(memory.pod, owner.uid, secrets, memory.token), 'secrets and token');
}

/** As a typed client decodes it: another type is an error, not a value. */
function secretRefs(list: unknown): string[] | null {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) return null;
  const names = list.map((one: { readonly secretRef?: unknown } | null) => one?.secretRef);
  return names.every((name) => typeof name === 'string') ? names : null;
}

function deliver(
  { namespace, name, uid, address }: Selected,
  holder: string,
  secrets: string[],
  token: { name: string; uid: string },
): Action {
  const pod = { namespace, name, uid };
  return {
    kind: 'deliver',
    pod,
    address,
    identity: null,
    holder,
    secrets,
    token,
    snapshot: null,
    deadlineMs: null,
  };
}

/** By a predictable name; one that is there already is overwritten, or not. */
function mintToken(memory: Memory, event: Event, claim: ClaimObject): Output {
  const { owner, last } = event;
  const name = `${owner.name}-sandbox-token`;
  const { namespace } = owner;
  const failed = last?.of === 'write' && last.purpose === 'token' && last.result === 'invalid';
  if (failed) {
    const status = { phase: 'Failed', reason: 'its token could not be written' };
    return does(memory, patch(event, claim, 'fail', { status }), 'the token cannot be written');
  }
  if (last?.of === 'write' && last.purpose === 'token' && last.result === 'exists') {
    const overwrite: Action = {
      kind: 'patch',
      purpose: 'token',
      target: { kind: 'Secret', namespace, name },
      subresource: null,
      precondition: {},
      patch: { data: { token: owner.uid } },
      deadlineMs: clientDeadlineMs,
    };
    return does(memory, overwrite, 'there already: overwrite it');
  }
  const reference = { apiVersion: 'mitos.run/v1alpha1', kind: owner.kind, name: owner.name, uid: owner.uid };
  const object = { kind: 'Secret', metadata: { namespace, name, ownerReferences: [reference] } };
  return does(memory, { kind: 'create', purpose: 'token', object, deadlineMs: clientDeadlineMs }, 'token');
}

/** Any pod that is labelled with the claim's name. */
function labelledPod({ pods, owner }: Event): PodObject | undefined {
  return pods
    .map(podObject)
    .find(
      (pod) => labelsOf(pod)['mitos.run/claim'] === owner.name && pod.metadata?.deletionTimestamp == null,
    );
}

function deletePod({ owner }: Event, pod: PodObject): Action {
  return {
    kind: 'delete',
    purpose: 'delete-pod',
    target: { kind: 'Pod', namespace: owner.namespace, name: pod.metadata?.name ?? '' },
    precondition: {},
    deadlineMs: clientDeadlineMs,
  };
}

function remove(memory: Memory, event: Event): Output {
  const pod = labelledPod(event);
  return pod === undefined
    ? idle(memory, 'gone')
    : does(memory, deletePod(event, pod), 'labelled with its name');
}

function terminate(memory: Memory, event: Event, claim: ClaimObject): Output {
  const pod = labelledPod(event);
  if (pod !== undefined) return does(memory, deletePod(event, pod), 'labelled with its name');
  if (!(claim.metadata.finalizers ?? []).includes(finalizer)) return idle(memory, 'it may go');
  const finalizers = (claim.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  return does(
    memory,
    patch(event, claim, 'unfinalize', { metadata: { finalizers } }),
    'nothing labelled is left',
  );
}

/** Source and children "are fetched by predictable name only". */
function fork(memory: Memory, event: Event, claim: ClaimObject): Output {
  const { owner, pods, pool } = event;
  const named = (name: string) =>
    pool === null
      ? null
      : selectBy(() => true, {
          pool,
          pods,
          ledger: [],
          operation: 'fork-child',
          holder: owner.uid,
          podUid: null,
          podName: name,
        }).pod;
  if (memory.children >= (claim.spec?.replicas ?? 1)) {
    return does(memory, patch(event, claim, 'publish', { status: { phase: 'Ready' } }), 'publish');
  }
  if (memory.token === null) return mintToken(memory, event, claim);
  const name = `${owner.name}-fork-${memory.children}`;
  const child = named(name);
  if (child !== null)
    return does(memory, deliver(child, owner.uid, [], memory.token), 'the pod of that name');
  const object = {
    kind: 'Pod',
    metadata: { namespace: owner.namespace, name, labels: { 'mitos.run/husk': 'true' } },
  };
  const create: Action = { kind: 'create', purpose: 'child', object, deadlineMs: clientDeadlineMs };
  return does(memory, create, 'a pod of that name');
}
