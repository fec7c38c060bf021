/**
 * Replays a run of the checker in the ClaimWorld, whose API server is held to the contract of the real one,
 * and reads the ClaimWorld's state back as a state of the checker. What the checker leaves out, the replay
 * leaves to the ClaimWorld.
 */
import type { ApiObject } from '../../models/api-server.ts';
import { type Action, ClaimWorld, type Outcome } from '../../models/claim-world.ts';
import { pool } from '../../models/husk-pod.ts';
import type { Subject } from '../../subjects/subject.ts';
import type { HuskContent } from './facts.ts';
import { absent, fresh, type Layout, reads, type StoredKind, unborn } from './layout.ts';
import {
  claimName,
  claimUid,
  podAddress,
  podName,
  podUid,
  recordVersion,
  replacementAddress,
  replacementUid,
  versionOf,
} from './names.ts';
import { plain } from './plain-claim.ts';
import { ReplayNames } from './replay-names.ts';
import type { Offered } from './steps.ts';
import { laterMs, startMs } from './thinking.ts';
import { type CheckedWorld, storedKinds } from './world.ts';

type Json = Readonly<Record<string, unknown>>;

const cacheKinds = { claims: 'owners', pods: 'pods', records: 'ledger' } as const;
const claimSpec = { poolRef: pool.name, secrets: [{ name: 'db', secretRef: 'db' }] };

export class Replay {
  readonly #checked: CheckedWorld;
  readonly #layout: Layout;
  readonly #real: ClaimWorld;
  readonly #names: ReplayNames;
  /** UIDs of the pods of the pool, in their order. */
  readonly #pods: readonly string[];

  constructor(checked: CheckedWorld, subject: Subject) {
    const { scope } = checked;
    this.#checked = checked;
    this.#layout = checked.layout;
    this.#real = new ClaimWorld(subject, scope.husks, ['db']);
    this.#names = new ReplayNames(this.#real);
    this.#pods = this.#real.api.list('Pod').items.map(({ metadata }) => metadata.uid);
    for (const [pod, object] of this.#real.api.list('Pod').items.entries()) {
      const { status } = object as ApiObject & { readonly status: { readonly podIP: string } };
      this.#names.call(object.metadata.uid, podUid(pod));
      this.#names.call(object.metadata.name, podName(pod));
      this.#names.call(status.podIP, podAddress(pod));
    }
    for (let claim = 0; claim < (scope.sameName ? 1 : scope.claims); claim++) this.#create(claim);
    for (let controller = 0; controller < 2; controller++) {
      this.#real.sync(controller);
      this.#configure(controller);
    }
  }

  #create(claim: number): void {
    this.#real.addOwner('SandboxClaim', claimName(this.#checked.scope, claim), claimSpec);
    this.#names.call(this.#real.owners[claim]?.uid ?? '', claimUid(claim));
  }

  #configure(index: number): void {
    const controller = this.#controller(index);
    controller.config = { ...controller.config, maxAttempts: this.#checked.scope.maxAttempts };
  }

  #controller(index: number) {
    const controller = this.#real.controllers[index];
    if (controller === undefined) throw new Error('no such controller');
    return controller;
  }

  #worker(controller: number, claim: number) {
    return this.#controller(controller).workers.get(this.#real.owners[claim]?.uid ?? '');
  }

  /** Does in the ClaimWorld what the checker offered; `next`: the state that it led to. */
  take(offered: Offered, next: Uint16Array): void {
    const { kind, controller, claim, pod, fate, captures } = offered;
    if (kind === 'thinks') this.#think(controller, claim, captures);
    else {
      const written = this.#kindWritten(offered);
      // Who falls behind with this write has caught up with everything before it.
      if (written !== null) this.#syncWhere(written, (index) => (captures & (1 << index)) !== 0);
      if (kind === 'arrives') this.#turn(controller, claim, fate);
      else if (kind === 'late') this.#land(offered.deed);
      else if (kind === 'crash') this.#crash(controller);
      else if (kind === 'time') this.#real.nowMs = laterMs;
      else if (kind === 'creation') this.#create(claim);
      else if (kind === 'death' || kind === 'replacement') this.#loses(pod, kind);
      else this.#author(kind, claim);
    }
    for (const stored of storedKinds) {
      this.#syncWhere(stored, (index) =>
        this.#layout.stored(stored).every((at) => next[this.#layout.copy(index, at)] === fresh),
      );
    }
  }

  #syncWhere(kind: StoredKind, when: (controller: number) => boolean): void {
    for (let index = 0; index < this.#layout.controllers; index++) {
      if (when(index)) this.#real.sync(index, cacheKinds[kind]);
    }
  }

  #kindWritten({ kind, deed, fate }: Offered): StoredKind | null {
    if (kind === 'deletion' || kind === 'creation' || kind === 'annotation') return 'claims';
    if (kind === 'death' || kind === 'replacement') return 'pods';
    const action = this.#checked.facts.deed(deed)?.action;
    if (fate === 'never arrived' || action === undefined || !('target' in action)) return null;
    const kinds: Partial<Record<string, StoredKind>> = {
      SandboxClaim: 'claims',
      Pod: 'pods',
      HuskRecord: 'records',
    };
    return kinds[action.target.kind] ?? null;
  }

  #think(controller: number, claim: number, captures: number): void {
    // What the checker left out, because it can only be refused or interests nobody, is over now.
    const pending = this.#worker(controller, claim)?.action ?? null;
    if (pending !== null) this.#turn(controller, claim, 'answered');
    for (const [bit, kind] of storedKinds.entries()) {
      if ((captures & (1 << bit)) !== 0) this.#real.sync(controller, cacheKinds[kind]);
    }
    this.#turn(controller, claim, 'answered');
  }

  #turn(controller: number, claim: number, fate: Offered['fate']): void {
    this.#real.turn(controller, claim, fate);
    this.#names.noteTokens(controller);
  }

  #crash(controller: number): void {
    this.#real.crash(controller);
    this.#configure(controller);
  }

  #land(deed: number): void {
    const index = this.#real.afloat.findIndex(({ owner, action }) => this.#deed(owner.uid, action) === deed);
    if (index < 0) throw new Error('the ClaimWorld has no such action afloat');
    this.#real.land(index);
  }

  #loses(pod: number, kind: 'death' | 'replacement'): void {
    const uid = this.#pods[pod] ?? '';
    const { namespace } = pool;
    const object = this.#real.api.list('Pod').items.find(({ metadata }) => metadata.uid === uid);
    if (object === undefined) throw new Error('the ClaimWorld has no such pod');
    const ref = { kind: 'Pod', namespace, name: object.metadata.name };
    this.#real.host.stop(uid);
    if (kind === 'death') {
      this.#real.api.patch(ref, { status: { phase: 'Failed' } }, { subresource: 'status' });
      return;
    }
    this.#real.api.remove(ref);
    this.#real.plant(ref.name, { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name });
    const made = this.#real.api.read(ref);
    if (!made.ok) throw new Error('the pod was not made again');
    this.#names.call(made.object.metadata.uid, replacementUid(pod));
    const { status } = made.object as ApiObject & { readonly status: { readonly podIP: string } };
    this.#names.call(status.podIP, replacementAddress(pod));
  }

  #author(kind: Offered['kind'], claim: number): void {
    const ref = {
      kind: 'SandboxClaim',
      namespace: pool.namespace,
      name: claimName(this.#checked.scope, claim),
    };
    if (kind === 'deletion') this.#real.api.remove(ref);
    else this.#real.api.patch(ref, { metadata: { annotations: { note: `${this.#real.steps.length}` } } });
  }

  /** The ClaimWorld's state, in the checker's words; what only the checker notes is taken from `like`. */
  read(like: Uint16Array): Uint16Array {
    const { layout, lexicon, memories } = this.#checked;
    const state = new Uint16Array(layout.width);
    state[0] = like[0] as number;
    for (let claim = 0; claim < layout.claims; claim++) {
      state[layout.claim(claim)] = this.#claimIn(this.#liveOwners(), claim);
      const sent = this.#real.deliveries.filter(({ holder }) => holder === this.#real.owners[claim]?.uid);
      state[layout.past(claim)] = lexicon.numberOf({ sent: sent.length });
    }
    for (let pod = 0; pod < layout.pods; pod++) {
      state[layout.pod(pod)] = this.#podIn(this.#real.api.list('Pod').items, pod);
      state[layout.record(pod)] = this.#recordIn(this.#real.api.list('HuskRecord').items, pod);
      state[layout.husk(pod)] = this.#husk(pod, like);
    }
    for (let controller = 0; controller < layout.controllers; controller++) {
      this.#readCache(state, controller, like);
      for (let claim = 0; claim < layout.claims; claim++) this.#readWorker(state, controller, claim);
    }
    this.#readAfloat(state);
    memories.tidy(state);
    return state;
  }

  #liveOwners(): ReadonlyMap<string, ApiObject> {
    const items = this.#real.api.list('SandboxClaim').items;
    return new Map(items.map((object) => [`SandboxClaim ${object.metadata.name}`, object]));
  }

  #readCache(state: Uint16Array, controller: number, like: Uint16Array): void {
    const layout = this.#layout;
    const { owners, pods, ledger } = this.#controller(controller).cache;
    const version = (object: unknown) =>
      (object as { metadata?: { resourceVersion: string } } | undefined)?.metadata?.resourceVersion ?? '';
    const live = this.#liveOwners();
    const copy = (stored: number, seen: string, now: string, content: number) => {
      state[layout.copy(controller, stored)] = seen === now ? fresh : content;
    };
    for (let claim = 0; claim < layout.claims; claim++) {
      const uid = this.#real.owners[claim]?.uid;
      const key = `SandboxClaim ${claimName(this.#checked.scope, claim)}`;
      const own = (map: ReadonlyMap<string, ApiObject>) =>
        map.get(key)?.metadata.uid === uid ? version(map.get(key)) : '';
      const content = this.#claimIn(owners, claim);
      const unseen = this.#checked.scope.sameName && claim > 0 ? unborn : absent;
      copy(layout.claim(claim), own(owners), own(live), content === absent ? unseen : content);
      // A claim that came and went unseen leaves no trace in a cache, though the cache is behind.
      const at = layout.copy(controller, layout.claim(claim));
      if (content === absent && own(live) === '' && like[at] === unborn) state[at] = unborn;
    }
    for (let pod = 0; pod < layout.pods; pod++) {
      const named = (items: readonly ApiObject[]) =>
        version(items.find((one) => one.metadata.name === this.#names.realOf(podName(pod))));
      copy(layout.pod(pod), named(pods), named(this.#real.api.list('Pod').items), this.#podIn(pods, pod));
      const seen = ledger.find((one) => one.pod.uid === this.#pods[pod]);
      const now = this.#real.api
        .list('HuskRecord')
        .items.find((one) => one.metadata.name === this.#pods[pod]);
      const content = seen === undefined ? absent : this.#record(seen, pod);
      copy(layout.record(pod), seen?.resourceVersion ?? '', version(now), content);
    }
  }

  #claimIn(owners: ReadonlyMap<string, ApiObject>, claim: number): number {
    const owner = this.#real.owners[claim];
    if (owner === undefined) return unborn;
    const object = owners.get(`SandboxClaim ${owner.name}`);
    if (object?.metadata.uid !== owner.uid) return absent;
    const {
      resourceVersion: _version,
      annotations: _notes,
      deletionTimestamp,
      ...metadata
    } = object.metadata;
    const creationTimestamp = new Date(startMs).toISOString();
    const deletion = deletionTimestamp === undefined ? {} : { deletionTimestamp: creationTimestamp };
    const content = { ...object, metadata: { ...metadata, creationTimestamp, ...deletion } };
    return this.#checked.lexicon.numberOf(plain(this.#names.renamed(content) as Json));
  }

  #podIn(items: readonly ApiObject[], pod: number): number {
    const object = items.find(({ metadata }) => metadata.name === this.#names.realOf(podName(pod)));
    if (object === undefined) return absent;
    const { namespace, name, uid, labels, ownerReferences } = object.metadata;
    const { spec, status } = object;
    const metadata = { namespace, name, uid, labels, ownerReferences };
    return this.#checked.lexicon.numberOf(
      this.#names.renamed({ apiVersion: 'v1', kind: 'Pod', metadata, spec, status }),
    );
  }

  #recordIn(items: readonly ApiObject[], pod: number): number {
    const object = items.find(({ metadata }) => metadata.name === this.#pods[pod]);
    return object === undefined ? absent : this.#record(object as Json, pod);
  }

  #record(
    { specHash, holder }: { readonly specHash?: unknown; readonly holder?: unknown },
    pod: number,
  ): number {
    return this.#checked.lexicon.numberOf({
      kind: 'HuskRecord',
      metadata: { namespace: 'mitos-system', name: podUid(pod), uid: `uid-record-of-${podName(pod)}` },
      pod: { namespace: pool.namespace, name: podName(pod), uid: podUid(pod) },
      pool,
      specHash,
      holder: this.#names.renamed(holder ?? null),
    });
  }

  #husk(pod: number, like: Uint16Array): number {
    const uid = this.#pods[pod] ?? '';
    const husk = this.#real.host.husks.get(uid);
    if (husk === undefined) throw new Error('the ClaimWorld has no such husk');
    const { behaviour, alive, holds, seen } = husk;
    const { intended } = this.#checked.lexicon.valueOf(like[this.#layout.husk(pod)] as number) as HuskContent;
    const held = this.#real.heldBy.get(uid) ?? null;
    const own = this.#names.renamed({ behaviour, alive, holds, seen: [...seen], held }) as Json;
    return this.#checked.lexicon.numberOf({ ...own, intended });
  }

  #readWorker(state: Uint16Array, controller: number, claim: number): void {
    const worker = this.#worker(controller, claim);
    const { lexicon, thinking, memoryAtStart } = this.#checked;
    const memoryAt = this.#layout.memory(controller, claim);
    state[memoryAt] = memoryAtStart;
    if (worker === undefined) return;
    if (worker.state !== null) state[memoryAt] = lexicon.numberOf(this.#memory(worker.state as Json));
    const { action, last, live } = worker;
    if (last !== null) {
      const told = this.#names.renamed(last) as Outcome;
      state[memoryAt] = thinking.takeIn(controller, claim, state[memoryAt] as number, told);
    }
    const pendingAt = this.#layout.pending(controller, claim);
    if (live || action?.kind === 'read') state[pendingAt] = reads;
    else if (action !== null && action.kind !== 'wait') {
      state[pendingAt] = this.#deed(this.#real.owners[claim]?.uid ?? '', action);
    }
  }

  #memory(memory: Json): Json {
    // A token that a worker made is called after its maker as long as no status names it.
    const { token, ...rest } = memory as Json & { readonly token: Json | null };
    return { ...(this.#names.renamed(rest) as Json), token: this.#names.renamed(token, false) };
  }

  /** The number of an action on its way; `absent` when its version is not the stored one any more. */
  #deed(ownerUid: string, action: Action): number {
    const version = 'precondition' in action ? action.precondition.resourceVersion : undefined;
    let stored = '';
    if (version !== undefined && 'target' in action) {
      const found = this.#real.api.read(action.target);
      if (!found.ok || found.object.metadata.resourceVersion !== version) return absent;
      const name = this.#names.of(found.object.metadata.uid);
      const pod = this.#pods.indexOf(found.object.metadata.name);
      stored = found.object.kind === 'HuskRecord' ? recordVersion(pod) : versionOf(name);
    }
    const renamed = this.#names.renamed(action) as Json;
    const precondition =
      version === undefined
        ? {}
        : { precondition: { ...(renamed.precondition as Json), resourceVersion: stored } };
    return this.#checked.lexicon.numberOf({
      owner: this.#names.of(ownerUid),
      action: { ...renamed, ...precondition },
    });
  }

  #readAfloat(state: Uint16Array): void {
    const { afloat, afloatSlots } = this.#layout;
    const deeds = this.#real.afloat
      .filter(({ action }) => ['patch', 'delete', 'deliver'].includes(action.kind))
      .map(({ owner, action }) => this.#deed(owner.uid, action))
      .filter((deed) => deed !== absent && this.#checked.memories.isPotent(state, deed));
    deeds.sort((a, b) => b - a);
    if (deeds.length > afloatSlots) throw new Error('more actions afloat than the layout has room for');
    for (const [slot, deed] of deeds.entries()) state[afloat + slot] = deed;
  }
}
