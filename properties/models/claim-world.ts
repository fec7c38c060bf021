/**
 * The world that a claim lives in: an API server, husks, two controllers with caches that lag, calls that
 * are lost or late, and tenants. It executes what the subject's claim-step answers, and writes down what
 * came of it.
 */

import type { claimStep } from '../protocol/claim-step.ts';
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { Subject } from '../subjects/subject.ts';
import { type ApiObject, ApiServerModel, type NewObject, type Result } from './api-server.ts';
import { unknownOutcome, written } from './claim-outcomes.ts';
import { described, resultOf } from './claim-trace.ts';
import { type HuskBehaviour, HuskHost } from './husk-host.ts';
import { genuinePod, pool, poolReference, specHashOf } from './husk-pod.ts';

type Config = ConfigOf<typeof claimStep>;
type Input = InputOf<typeof claimStep>;
type Event = Input['event'];
export type Action = OutputOf<typeof claimStep>['actions'][number];
export type Outcome = NonNullable<Event['last']>;
export type Owner = Event['owner'];

export const controllerNamespace = 'mitos-system';
export const maxAttempts = 5;
const claimDeadlineMs = 60_000;

interface Worker {
  state: unknown;
  action: Action | null;
  /** The answer to the action before. */
  last: Outcome | null;
  live: boolean;
  /** It waits for an answer without a deadline, and none comes. */
  hangs: boolean;
}

interface Controller {
  readonly name: string;
  starts: number;
  config: Config;
  leading: boolean;
  cache: View;
  readonly workers: Map<string, Worker>;
}

interface View {
  readonly owners: ReadonlyMap<string, ApiObject>;
  readonly pods: readonly ApiObject[];
  readonly ledger: Event['ledger'];
}

/** One row of the sequence table. */
export interface Step {
  readonly who: string;
  readonly what: string;
  readonly precondition: string;
  readonly result: string;
}

/** How an action ends: carried out and answered, carried out with its answer lost, or never arrived. */
export type Fate = 'answered' | 'answer lost' | 'never arrived';

/**
 * Both controllers believe that they lead, until a command says otherwise: what leadership saves is work,
 * not safety.
 */
export class ClaimWorld {
  nowMs = Date.parse('2026-11-24T00:00:00Z');
  readonly api = new ApiServerModel(() => new Date(this.nowMs).toISOString());
  readonly host = new HuskHost();
  readonly steps: Step[] = [];
  /** Every claim and fork that ever was. */
  readonly owners: Owner[] = [];
  /** Who saw whose secrets, call by call. */
  readonly deliveries: {
    readonly holder: string;
    readonly podUid: string;
    readonly secrets: readonly string[];
  }[] = [];
  /** What controllers deleted: for whom, and what it was. */
  readonly removals: { readonly owner: Owner; readonly object: ApiObject; readonly inUse: boolean }[] = [];
  readonly controllers: readonly Controller[];
  /** Actions of processes that died before they were answered: they may arrive yet. */
  afloat: { readonly owner: Owner; readonly action: Action }[] = [];
  /** Holders of the ledger's records, by pod, for as long as the world stands. */
  readonly heldBy = new Map<string, string>();
  /** Records that went from one holder to another. */
  readonly reassigned: { readonly podUid: string; readonly before: string; readonly holder: string }[] = [];
  readonly #decide: (config: Config) => (input: Input) => OutputOf<typeof claimStep>;
  /** Secrets that the authors may read. */
  readonly authorized: readonly string[] | null;
  #huskCount = 0;

  constructor(subject: Subject, behaviours: readonly HuskBehaviour[], authorized: readonly string[] | null) {
    this.#decide = (config) => subject.decide('claim-step', config);
    this.authorized = authorized;
    this.controllers = ['A', 'B'].map((name) => ({
      name,
      starts: 0,
      config: configOf(`controller-${name}-0`),
      leading: true,
      cache: { owners: new Map(), pods: [], ledger: [] },
      workers: new Map(),
    }));
    for (const behaviour of behaviours) this.addHusk(behaviour);
  }

  /** The pool's loop: one more warm husk, recorded from the answer to its create. */
  addHusk(behaviour: HuskBehaviour = 'honest'): void {
    const index = this.#huskCount++;
    const name = `pool-husk-${index}`;
    const address = `10.0.0.${index + 1}`;
    const pod = this.#pod(name, address, {
      labels: { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name },
    });
    if (pod === null) return;
    this.host.start(pod.metadata.uid, address, behaviour, false);
    const { namespace, uid } = pod.metadata;
    this.api.create({
      kind: 'HuskRecord',
      metadata: { namespace: controllerNamespace, name: uid },
      pod: { namespace, name, uid },
      pool,
      specHash: specHashOf(pod.spec as Parameters<typeof specHashOf>[0]),
      holder: null,
    });
  }

  /** A pod with everything that a husk has, made by a tenant. */
  plant(name: string, labels: Readonly<Record<string, string>>, at?: string): void {
    const address = at ?? `10.0.9.${this.#huskCount++}`;
    const pod = this.#pod(name, address, { labels });
    if (pod !== null) this.host.start(pod.metadata.uid, address, 'honest', true);
  }

  #pod(
    name: string,
    address: string,
    { labels }: { readonly labels: Readonly<Record<string, string>> },
  ): ApiObject | null {
    const { spec, status } = genuinePod(name, '', address);
    const metadata = { namespace: pool.namespace, name, labels, ownerReferences: [poolReference] };
    const made = this.api.create({ kind: 'Pod', metadata, spec });
    if (!made.ok) return null;
    const ref = { kind: 'Pod', namespace: pool.namespace, name };
    const running = this.api.patch(ref, { status }, { subresource: 'status' });
    return running.ok ? running.object : null;
  }

  addOwner(kind: Owner['kind'], name: string, spec: Readonly<Record<string, unknown>>): void {
    const { namespace } = pool;
    const made = this.api.create({ kind, metadata: { namespace, name }, spec });
    if (made.ok) this.owners.push({ kind, namespace, name, uid: made.object.metadata.uid });
  }

  ownerObject({ kind, namespace, name }: Owner): ApiObject | null {
    const found = this.api.read({ kind, namespace, name });
    return found.ok ? found.object : null;
  }

  /** The cache catches up with the API server: all of it, or one kind before the others. */
  sync(index: number, kind: 'all' | 'owners' | 'pods' | 'ledger' = 'all'): void {
    const controller = this.controllers[index % 2] as Controller;
    const now = this.#view();
    controller.cache = kind === 'all' ? now : { ...controller.cache, [kind]: now[kind] };
  }

  #view(): View {
    const owners = new Map<string, ApiObject>();
    for (const owner of this.owners) {
      const object = this.ownerObject(owner);
      if (object !== null) owners.set(`${owner.kind} ${owner.name}`, object);
    }
    const ledger = this.api.list('HuskRecord').items.map(recordView);
    return { owners, pods: this.api.list('Pod').items, ledger };
  }

  /** kill -9: memory and cache are gone; an action that was on its way may still arrive. */
  crash(index: number): void {
    const controller = this.controllers[index % 2] as Controller;
    for (const [key, { action }] of controller.workers) {
      const owner = this.owners.find(({ uid }) => uid === key);
      if (action !== null && owner !== undefined) this.afloat.push({ owner, action });
    }
    controller.workers.clear();
    controller.starts += 1;
    controller.config = configOf(`controller-${controller.name}-${controller.starts}`);
    controller.cache = this.#view();
    this.steps.push({ who: controller.name, what: 'kill -9, starts again', precondition: '', result: '' });
  }

  lead(index: number, leading: boolean): void {
    const controller = this.controllers[index % 2] as Controller;
    controller.leading = leading;
    if (leading) controller.cache = this.#view();
  }

  /** What a worker is about to do: the purpose of its write, or the kind of its call. */
  intends(index: number, ownerIndex: number): string | null {
    const owner = this.owners[ownerIndex % Math.max(1, this.owners.length)];
    const action = this.controllers[index % 2]?.workers.get(owner?.uid ?? '')?.action ?? null;
    return action === null ? null : 'purpose' in action ? action.purpose : action.kind;
  }

  /** One turn of a worker: think, or let the action that it decided on meet its fate. True when something was done. */
  turn(index: number, ownerIndex: number, fate: Fate = 'answered'): boolean {
    const controller = this.controllers[index % 2] as Controller;
    const owner = this.owners[ownerIndex % Math.max(1, this.owners.length)];
    if (owner === undefined) return false;
    const worker: Worker = controller.workers.get(owner.uid) ?? {
      state: null,
      action: null,
      last: null,
      live: false,
      hangs: false,
    };
    controller.workers.set(owner.uid, worker);
    if (worker.action === null) return this.#think(controller, worker, owner);
    const { action } = worker;
    if (action.kind === 'wait') {
      worker.action = null;
      return false;
    }
    if (worker.hangs) return false;
    const outcome = fate === 'never arrived' ? null : this.#execute(owner, action, controller.name);
    if (outcome === 'hangs') {
      worker.hangs = true;
      return false;
    }
    worker.last = fate === 'answered' ? outcome : unknownOutcome(action);
    worker.live = action.kind === 'read';
    worker.action = null;
    return action.kind !== 'read';
  }

  #think(controller: Controller, worker: Worker, owner: Owner): boolean {
    const view = worker.live ? this.#view() : controller.cache;
    const object = view.owners.get(`${owner.kind} ${owner.name}`) ?? null;
    const sourceName = (object?.spec as { sourceRef?: string } | undefined)?.sourceRef;
    const event: Event = {
      nowMs: this.nowMs,
      leading: controller.leading,
      owner,
      object,
      live: worker.live,
      authorized: this.authorized === null ? null : [...this.authorized],
      source: sourceName === undefined ? null : (view.owners.get(`SandboxClaim ${sourceName}`) ?? null),
      pool,
      ledger: [...view.ledger],
      pods: [...view.pods],
      last: worker.last,
    };
    const { state, actions } = this.#decide(controller.config)({ state: worker.state, event });
    worker.state = state;
    worker.last = null;
    worker.live = false;
    worker.action = actions[0] ?? null;
    return worker.action !== null && worker.action.kind !== 'wait' && worker.action.kind !== 'read';
  }

  /** An action of a process that is dead arrives after all. */
  land(index: number): void {
    const [late] = this.afloat.splice(index % Math.max(1, this.afloat.length), 1);
    if (late !== undefined) this.#execute(late.owner, late.action, 'late');
  }

  #execute(owner: Owner, action: Action, who: string): Outcome | null | 'hangs' {
    const outcome = this.#carryOut(owner, action);
    if (action.kind !== 'wait' && action.kind !== 'read') {
      this.steps.push({ who, ...described(owner, action), result: resultOf(outcome) });
    }
    return outcome;
  }

  #carryOut(owner: Owner, action: Action): Outcome | null | 'hangs' {
    switch (action.kind) {
      case 'read':
      case 'wait':
        return null;
      case 'patch': {
        const { target, patch, precondition, subresource, purpose } = action;
        const options = { ...precondition, ...(subresource === null ? {} : { subresource }) };
        const result = this.api.patch(target, patch, options);
        this.#noteHolder(result);
        return written(purpose, precondition.uid ?? null, result);
      }
      case 'create': {
        const result = this.api.create(action.object as NewObject);
        if (result.ok && result.object.kind === 'Pod') this.#runCreated(result.object);
        return written(action.purpose, null, result);
      }
      case 'delete':
        return this.#remove(owner, action);
      case 'dial': {
        const { result, holds } = this.host.dial(action);
        return { of: 'dial', podUid: action.pod.uid, result, holds };
      }
      case 'deliver': {
        const { husk, result } = this.host.deliver(action, action.token.uid);
        const { holder, secrets } = action;
        if (husk !== null) this.deliveries.push({ holder, podUid: husk.podUid, secrets });
        if (result === 'unknown' && action.deadlineMs === null) return 'hangs';
        return { of: 'deliver', podUid: action.pod.uid, result, digest: null };
      }
      case 'snapshot': {
        const { result, digest } = this.host.snapshot(action, owner.uid);
        return { of: 'snapshot', podUid: action.pod.uid, result, digest };
      }
      case 'dehydrate':
        return { of: 'dehydrate', podUid: action.pod.uid, result: 'done', digest: null };
    }
  }

  #noteHolder(result: Result): void {
    if (!result.ok || result.object.kind !== 'HuskRecord') return;
    const { holder, pod } = recordView(result.object);
    if (holder === null) return;
    const before = this.heldBy.get(pod.uid);
    if (before !== undefined && before !== holder) this.reassigned.push({ podUid: pod.uid, before, holder });
    this.heldBy.set(pod.uid, holder);
  }

  /** kubelet runs what the published controller creates under a predictable name. */
  #runCreated({ metadata }: ApiObject): void {
    const address = `10.0.0.${++this.#huskCount + 100}`;
    const { status } = genuinePod(metadata.name, '', address);
    const ref = { kind: 'Pod', namespace: metadata.namespace, name: metadata.name };
    this.api.patch(ref, { status }, { subresource: 'status' });
    this.host.start(metadata.uid, address, 'honest', false);
  }

  /** The husk of any claim that is Ready and was not asked to end. */
  #isInUse({ metadata }: ApiObject): boolean {
    return this.api.list('SandboxClaim').items.some((claim) => {
      const { phase, sandboxID } = (claim.status ?? {}) as { phase?: string; sandboxID?: string };
      const asked = claim.metadata.deletionTimestamp !== undefined;
      return !asked && phase === 'Ready' && sandboxID === metadata.uid;
    });
  }

  #remove(owner: Owner, action: Extract<Action, { kind: 'delete' }>): Outcome {
    const before = this.api.read(action.target);
    const result = this.api.remove(action.target, action.precondition);
    if (result.ok && before.ok) {
      this.removals.push({ owner, object: before.object, inUse: this.#isInUse(before.object) });
      this.host.stop(before.object.metadata.uid);
    }
    return written(action.purpose, action.precondition.uid ?? null, result);
  }
}

function configOf(identity: string): Config {
  return {
    identity,
    controllerNamespace,
    writeDeadlineMs: 5_000,
    callDeadlineMs: 10_000,
    claimDeadlineMs,
    maxAttempts,
    retryAfterMs: 1_000,
    systemSecrets: ['mitos-ca', 'mitos-forkd-tls', 'sandbox-token-*'],
  };
}

function recordView(object: ApiObject): Event['ledger'][number] {
  const { pod, specHash, holder } = object as ApiObject & Event['ledger'][number];
  return { pod, pool, specHash, holder: holder ?? null, resourceVersion: object.metadata.resourceVersion };
}
