/**
 * The checked world: every step that can follow a state. Time, faults and the scheduler are as free as the
 * scope allows; a worker only ever does what claim-step says.
 */

import type { Outcome } from '../../models/claim-world.ts';
import { genuinePod, pool, recordOf } from '../../models/husk-pod.ts';
import type { Violation } from '../../oracles/violation.ts';
import { Arrivals, type Fate } from './arrivals.ts';
import { type ClaimContent, Facts, type HuskContent, type PastContent } from './facts.ts';
import {
  absent,
  type BudgetName,
  budgetShift,
  fresh,
  Layout,
  markers,
  reads,
  type StoredKind,
  unborn,
} from './layout.ts';
import { Lexicon, notAsked } from './lexicon.ts';
import { Memories } from './memories.ts';
import {
  buryIn,
  claimName,
  claimUid,
  podAddress,
  podName,
  podUid,
  type Renaming,
  renameIn,
  renamingsOf,
  replacementAddress,
  replacementUid,
} from './names.ts';
import { plain } from './plain-claim.ts';
import type { Scope } from './scope.ts';
import { type Sight, type StepClaim, startMs, Thinking } from './thinking.ts';
import { broken } from './violations.ts';

export type StepKind =
  | 'thinks'
  | 'arrives'
  | 'syncs'
  | 'crash'
  | 'late'
  | 'deletion'
  | 'creation'
  | 'time'
  | 'annotation'
  | 'death'
  | 'replacement';

/** One step, as it is offered: overwritten by the next one. */
export interface Offered {
  kind: StepKind;
  /** Index of the controller, claim, pod or slot that it is about; -1: none. */
  controller: number;
  claim: number;
  pod: number;
  fate: Fate;
  /** The action that arrives, or the input of the thought. */
  deed: number;
  /** The answer to the action. */
  answer: Outcome | null;
  /** Controllers whose caches, in this step, first learned what was stored before. */
  captures: number;
  synced: StoredKind | null;
}

const storedKinds: readonly StoredKind[] = ['claims', 'pods', 'records'];

export class CheckedWorld {
  readonly scope: Scope;
  readonly layout: Layout;
  readonly lexicon: Lexicon;
  readonly facts: Facts;
  readonly thinking: Thinking;
  readonly arrivals: Arrivals;
  readonly memories: Memories;
  readonly renamings: readonly Renaming[];
  readonly offered: Offered = {
    kind: 'time',
    controller: -1,
    claim: -1,
    pod: -1,
    fate: 'answered',
    deed: 0,
    answer: null,
    captures: 0,
    synced: null,
  };
  readonly next: Uint16Array;
  readonly #caughtUp: Uint16Array;
  readonly #sight: Sight;
  /** Number of what a process remembers that has just started. */
  readonly memoryAtStart: number;
  readonly #storedOf: Readonly<Record<StoredKind, readonly number[]>>;
  /** By stored position. */
  readonly #kindBit: readonly number[];

  constructor(scope: Scope, step: StepClaim, memoryAtStart: unknown) {
    this.scope = scope;
    this.layout = new Layout(scope);
    this.renamings = renamingsOf(scope);
    const burials = Array.from(
      { length: scope.controllers },
      (_, controller) => (text: string) => buryIn(text, controller),
    );
    this.lexicon = new Lexicon([
      ...this.renamings.map((renaming) => (text: string) => renameIn(text, renaming)),
      ...burials,
    ]);
    for (const marker of markers) this.lexicon.numberOf(marker);
    this.memoryAtStart = this.lexicon.numberOf(memoryAtStart);
    this.facts = new Facts(this.lexicon, this.layout);
    this.arrivals = new Arrivals(scope, this.layout, this.lexicon, this.facts);
    this.thinking = new Thinking(step, scope, this.layout, this.lexicon, this.renamings);
    this.memories = new Memories(this.lexicon, this.layout, this.facts, this.thinking, (...of) =>
      this.sightOf(...of),
    );
    this.next = new Uint16Array(this.layout.width);
    this.#caughtUp = new Uint16Array(this.layout.width);
    const kinds = storedKinds.map((kind) => [kind, this.layout.stored(kind)] as const);
    this.#storedOf = Object.fromEntries(kinds) as Record<StoredKind, readonly number[]>;
    this.#kindBit = Array.from({ length: this.layout.husk(0) }, (_, stored) =>
      stored === 0 ? 0 : 1 << storedKinds.indexOf(this.layout.kindAt(stored)),
    );
    const { pods } = this.layout;
    this.#sight = {
      controller: 0,
      claim: 0,
      memory: 0,
      pending: 0,
      late: false,
      object: 0,
      pods: new Uint16Array(pods),
      records: new Uint16Array(pods),
    };
  }

  /** Claims as their authors made them, warm husks, two processes that know all of it. */
  initial(): Uint16Array {
    const { layout, lexicon, scope } = this;
    const state = new Uint16Array(layout.width);
    const left: Readonly<Record<BudgetName, number>> = { ...scope, time: scope.timePasses ? 1 : 0 };
    state[0] = Object.entries(budgetShift).reduce(
      (sum, [name, shift]) => sum | (left[name as BudgetName] << shift),
      0,
    );
    for (let claim = 0; claim < layout.claims; claim++) {
      state[layout.claim(claim)] = scope.sameName && claim > 0 ? unborn : this.#claimNumber(claim);
      state[layout.past(claim)] = lexicon.numberOf({ sent: 0 } satisfies PastContent);
    }
    for (let pod = 0; pod < layout.pods; pod++) {
      const husk = genuinePod(podName(pod), podUid(pod), podAddress(pod));
      const { resourceVersion: _pod, ...metadata } = husk.metadata;
      const { resourceVersion: _record, ...record } = recordOf(husk);
      state[layout.pod(pod)] = lexicon.numberOf({ ...husk, metadata });
      state[layout.record(pod)] = lexicon.numberOf({
        kind: 'HuskRecord',
        metadata: { namespace: 'mitos-system', name: podUid(pod), uid: `uid-record-of-${podName(pod)}` },
        ...record,
      });
      state[layout.husk(pod)] = lexicon.numberOf({
        behaviour: scope.husks[pod] ?? 'honest',
        alive: true,
        holds: null,
        seen: [],
        intended: [],
        held: null,
      } satisfies HuskContent);
    }
    for (let controller = 0; controller < layout.controllers; controller++) this.restart(state, controller);
    return state;
  }

  #claimNumber(claim: number): number {
    const content: ClaimContent = {
      kind: 'SandboxClaim',
      metadata: {
        namespace: pool.namespace,
        name: claimName(this.scope, claim),
        uid: claimUid(claim),
        creationTimestamp: new Date(startMs).toISOString(),
      },
      spec: { poolRef: pool.name, secrets: [{ name: 'db', secretRef: 'db' }] },
    };
    return this.lexicon.numberOf(content);
  }

  /** A process that has just started: no memory, nothing on its way, a cache that is up to date. */
  restart(state: Uint16Array, controller: number): void {
    const { layout } = this;
    for (let stored = 1; stored < layout.husk(0); stored++) state[layout.copy(controller, stored)] = fresh;
    for (let claim = 0; claim < layout.claims; claim++) {
      state[layout.memory(controller, claim)] = this.memoryAtStart;
      state[layout.pending(controller, claim)] = absent;
    }
  }

  /** Nobody is the process of that controller any more, wherever it is named. */
  bury(state: Uint16Array, controller: number): void {
    const { layout, lexicon } = this;
    const burial = this.renamings.length + controller;
    const images = lexicon.images[burial] as Uint16Array;
    for (const word of layout.naming) {
      const value = images[state[word] as number] as number;
      state[word] = value === notAsked ? lexicon.image(burial, state[word] as number) : value;
    }
  }

  isLate(state: Uint16Array): boolean {
    return (((state[0] as number) >> budgetShift.time) & 3) === 2;
  }

  left(state: Uint16Array, name: BudgetName): number {
    return ((state[0] as number) >> budgetShift[name]) & 3;
  }

  #spend(state: Uint16Array, name: BudgetName): void {
    state[0] = (state[0] as number) - (1 << budgetShift[name]);
  }

  isThere(content: number): boolean {
    return content !== absent && content !== unborn;
  }

  violation(state: Uint16Array): Violation | null {
    const sent = (past: number) => (this.lexicon.valueOf(past) as PastContent).sent;
    return broken(state, this.layout, this.facts, sent, this.scope.maxAttempts);
  }

  /** Offers every next state in `next`, with what led to it in `offered`; `take` copies what it keeps. */
  expand(state: Uint16Array, consider: () => void): void {
    const { layout } = this;
    const take = () => {
      const { kind, captures, controller, claim } = this.offered;
      // A thought from the view that was there already changes nobody but the worker that thinks.
      if (kind === 'thinks' && captures === 0) this.memories.tidyWorker(this.next, controller, claim);
      else this.memories.tidy(this.next);
      consider();
    };
    for (let controller = 0; controller < layout.controllers; controller++) {
      for (let claim = 0; claim < layout.claims; claim++) {
        if (state[layout.claim(claim)] === unborn) continue;
        const pending = state[layout.pending(controller, claim)] as number;
        if (this.facts.deed(pending) === null) this.#think(state, controller, claim, take);
        else this.#arrive(state, controller, claim, pending, take);
      }
      if (this.left(state, 'crashes') > 0) this.#crash(state, controller, take);
    }
    for (let slot = 0; slot < layout.afloatSlots; slot++) this.#late(state, slot, take);
    for (let claim = 0; claim < layout.claims; claim++) this.#authors(state, claim, take);
    for (let pod = 0; pod < layout.pods; pod++) this.#tenants(state, pod, take);
    if (this.left(state, 'time') === 1) {
      this.#offer(state, 'time', -1, -1, -1);
      state[0] = state[0] as number;
      this.next[0] = (state[0] as number) + (1 << budgetShift.time);
      take();
    }
  }

  #offer(state: Uint16Array, kind: StepKind, controller: number, claim: number, pod: number): void {
    this.next.set(state);
    const { offered } = this;
    offered.kind = kind;
    offered.controller = controller;
    offered.claim = claim;
    offered.pod = pod;
    offered.fate = 'answered';
    offered.deed = 0;
    offered.answer = null;
    offered.captures = 0;
    offered.synced = null;
    this.arrivals.broken = null;
  }

  /** What a worker sees: its controller's cache, or everything as it is stored. */
  sightOf(state: Uint16Array, controller: number, claim: number): Sight {
    const { layout } = this;
    const sight = this.#sight as { -readonly [K in keyof Sight]: Sight[K] };
    const live = state[layout.pending(controller, claim)] === reads;
    const seen = (stored: number): number => {
      const copy = live ? fresh : (state[layout.copy(controller, stored)] as number);
      return copy === fresh ? (state[stored] as number) : copy;
    };
    sight.controller = controller;
    sight.claim = claim;
    sight.memory = state[layout.memory(controller, claim)] as number;
    sight.pending = state[layout.pending(controller, claim)] as number;
    sight.late = this.isLate(state);
    sight.object = seen(layout.claim(claim));
    for (let pod = 0; pod < layout.pods; pod++) {
      sight.pods[pod] = seen(layout.pod(pod));
      sight.records[pod] = seen(layout.record(pod));
    }
    return sight;
  }

  /** What the thought makes pending, in one of the orders in which pods may be listed. */
  #pendingAfter(state: Uint16Array, controller: number, input: number, order: number, live: boolean): number {
    const pending = this.thinking.pendingAfter(input, order);
    const guard = this.facts.deed(pending)?.guard ?? 0;
    // Decided from a version that is not stored any more: it can only be refused.
    return guard !== 0 && !live && state[this.layout.copy(controller, guard)] !== fresh ? absent : pending;
  }

  #think(state: Uint16Array, controller: number, claim: number, take: () => void): void {
    const live = state[this.layout.pending(controller, claim)] === reads;
    const stale = live ? 0 : this.#behindKinds(state, controller);
    for (let subset = stale; ; subset = (subset - 1) & stale) {
      this.#thinkSeeing(state, controller, claim, subset, take);
      if (subset === 0) break;
    }
  }

  /** Kinds of which a controller's cache is behind, as bits. */
  #behindKinds(state: Uint16Array, controller: number): number {
    const { layout } = this;
    let behind = 0;
    for (let stored = 1; stored < layout.husk(0); stored++) {
      if (state[layout.copy(controller, stored)] !== fresh) behind |= this.#kindBit[stored] as number;
    }
    return behind;
  }

  /** The cache catches up with some kinds. */
  sync(state: Uint16Array, controller: number, kinds: number): void {
    if (kinds === 0) return;
    const { layout } = this;
    for (let stored = 1; stored < layout.husk(0); stored++) {
      if ((kinds & (this.#kindBit[stored] as number)) !== 0) state[layout.copy(controller, stored)] = fresh;
    }
  }

  #thinkSeeing(state: Uint16Array, controller: number, claim: number, kinds: number, take: () => void): void {
    const { layout, thinking, next, offered } = this;
    const memoryAt = layout.memory(controller, claim);
    const pendingAt = layout.pending(controller, claim);
    const live = state[pendingAt] === reads;
    let seen = state;
    if (kinds !== 0) {
      seen = this.#caughtUp;
      seen.set(state);
      this.sync(seen, controller, kinds);
    }
    const input = thinking.decide(this.sightOf(seen, controller, claim));
    let [memoryBefore, pendingBefore] = kinds === 0 ? [state[memoryAt], state[pendingAt]] : [-1, -1];
    for (let order = 0; order < thinking.orders.length; order++) {
      const memory = thinking.memoryAfter(input, order);
      const pending = this.#pendingAfter(seen, controller, input, order, live);
      if (memory === memoryBefore && pending === pendingBefore) continue;
      if (order === 0) [memoryBefore, pendingBefore] = [memory, pending];
      this.#offer(seen, 'thinks', controller, claim, -1);
      next[memoryAt] = memory;
      next[pendingAt] = pending;
      offered.captures = kinds;
      offered.deed = order;
      take();
    }
  }

  /** Controllers whose cache of that kind is behind, as bits. */
  #behind(state: Uint16Array, kind: StoredKind): number {
    const { layout } = this;
    let behind = 0;
    for (let controller = 0; controller < layout.controllers; controller++) {
      for (const stored of this.#storedOf[kind]) {
        if (state[layout.copy(controller, stored)] !== fresh) behind |= 1 << controller;
      }
    }
    return behind;
  }

  /**
   * Offers a write once for each choice of what the caches make of it. A cache that is behind misses it too;
   * of the others, and of those that catch up just before, as many fall behind as may.
   */
  #withMisses(state: Uint16Array, kind: StoredKind | null, step: (misses: number) => void): void {
    if (kind === null) {
      this.arrivals.missing = 0;
      step(0);
      return;
    }
    const behind = this.#behind(state, kind);
    const lags = this.left(state, 'lags');
    const everybody = (1 << this.layout.controllers) - 1;
    for (let misses = lags === 0 ? 0 : everybody; ; misses--) {
      if (bitCount(misses) <= lags) {
        this.arrivals.missing = behind | misses;
        step(misses);
      }
      if (misses === 0) break;
    }
  }

  /** To be called on the offered state, before the write. */
  #miss(state: Uint16Array, misses: number, kind: StoredKind): void {
    const { layout, next, offered } = this;
    offered.captures = misses;
    if (misses === 0) return;
    next[0] = (next[0] as number) - (bitCount(misses) << budgetShift.lags);
    const again = misses & this.#behind(state, kind);
    for (let controller = 0; controller < layout.controllers; controller++) {
      if ((again & (1 << controller)) === 0) continue;
      for (const stored of this.#storedOf[kind]) next[layout.copy(controller, stored)] = fresh;
    }
  }

  #kindWritten(deed: number): StoredKind | null {
    const action = this.facts.deed(deed)?.action;
    if (action === undefined || (action.kind !== 'patch' && action.kind !== 'delete')) return null;
    switch (action.target.kind) {
      case 'SandboxClaim':
        return 'claims';
      case 'Pod':
        return 'pods';
      case 'HuskRecord':
        return 'records';
      default:
        return null;
    }
  }

  #arrive(state: Uint16Array, controller: number, claim: number, deed: number, take: () => void): void {
    const losses = this.left(state, 'losses');
    const pendingAt = this.layout.pending(controller, claim);
    const memoryAt = this.layout.memory(controller, claim);
    const fates: readonly Fate[] = losses > 0 ? ['answered', 'answer lost', 'never arrived'] : ['answered'];
    for (const fate of fates) {
      const kind = fate === 'never arrived' ? null : this.#kindWritten(deed);
      this.#withMisses(state, kind, (misses) => {
        this.#offer(state, 'arrives', controller, claim, -1);
        if (kind !== null) this.#miss(state, misses, kind);
        this.offered.fate = fate;
        this.offered.deed = deed;
        if (fate !== 'answered') this.#spend(this.next, 'losses');
        this.next[pendingAt] = absent;
        const answer = this.arrivals.arrive(this.next, deed, controller, fate);
        this.offered.answer = answer;
        if (answer !== null) {
          const memory = this.next[memoryAt] as number;
          this.next[memoryAt] = this.thinking.takeIn(controller, claim, memory, answer);
        }
        take();
      });
    }
  }

  #crash(state: Uint16Array, controller: number, take: () => void): void {
    const { layout, next } = this;
    this.#offer(state, 'crash', controller, -1, -1);
    this.#spend(next, 'crashes');
    for (let claim = 0; claim < layout.claims; claim++) {
      const pending = state[layout.pending(controller, claim)] as number;
      if (this.facts.deed(pending)?.potent === true) this.#setAfloat(next, pending);
    }
    this.restart(next, controller);
    this.bury(next, controller);
    // A process that has nothing to lose: what can follow is what could follow anyway.
    if (next.some((value, word) => word > 0 && value !== state[word])) take();
  }

  #setAfloat(state: Uint16Array, deed: number): void {
    const { afloat, afloatSlots } = this.layout;
    for (let slot = afloat; slot < afloat + afloatSlots; slot++) {
      if (state[slot] !== absent) continue;
      state[slot] = deed;
      return;
    }
    throw new Error('more actions afloat than the layout has room for');
  }

  /** An action of a process that is dead arrives after all. */
  #late(state: Uint16Array, slot: number, take: () => void): void {
    const at = this.layout.afloat + slot;
    const deed = state[at] as number;
    if (deed === absent) return;
    const kind = this.#kindWritten(deed);
    this.#withMisses(state, kind, (misses) => {
      this.#offer(state, 'late', -1, this.facts.deed(deed)?.claim ?? -1, -1);
      if (kind !== null) this.#miss(state, misses, kind);
      this.next[at] = absent;
      this.offered.deed = deed;
      this.offered.answer = this.arrivals.arrive(this.next, deed, -1, 'answered');
      take();
    });
  }

  #authors(state: Uint16Array, claim: number, take: () => void): void {
    const { layout, lexicon, next } = this;
    const at = layout.claim(claim);
    const content = state[at] as number;
    const write = (kind: StepKind, budget: BudgetName | null, after: number) =>
      this.#withMisses(state, 'claims', (misses) => {
        this.#offer(state, kind, -1, claim, -1);
        this.#miss(state, misses, 'claims');
        if (budget !== null) this.#spend(next, budget);
        this.arrivals.store(next, at, after);
        take();
      });
    if (content === unborn) {
      const before = state[layout.claim(claim - 1)] as number;
      if (before === absent) write('creation', null, this.#claimNumber(claim));
      return;
    }
    if (content === absent) return;
    if (this.left(state, 'annotations') > 0) write('annotation', 'annotations', content);
    if (this.left(state, 'deletions') === 0 || this.facts.claim(content).deleting) return;
    const object = lexicon.valueOf(content) as ClaimContent;
    const metadata = { ...object.metadata, deletionTimestamp: new Date(startMs).toISOString() };
    const waits = (object.metadata.finalizers ?? []).length > 0;
    write('deletion', 'deletions', waits ? lexicon.numberOf(plain({ ...object, metadata })) : absent);
  }

  #tenants(state: Uint16Array, pod: number, take: () => void): void {
    const { layout, lexicon, next } = this;
    const at = layout.pod(pod);
    const content = state[at] as number;
    const { alive } = this.facts.husk(state[layout.husk(pod)] as number);
    if (content === absent || !alive) return;
    const write = (kind: StepKind, budget: BudgetName, after: number) =>
      this.#withMisses(state, 'pods', (misses) => {
        this.#offer(state, kind, -1, -1, pod);
        this.#miss(state, misses, 'pods');
        this.#spend(next, budget);
        this.arrivals.stopHusk(next, pod);
        this.arrivals.store(next, at, after);
        take();
      });
    if (this.left(state, 'deaths') > 0) {
      const object = lexicon.valueOf(content) as { readonly status: object };
      write(
        'death',
        'deaths',
        lexicon.numberOf({ ...object, status: { ...object.status, phase: 'Failed' } }),
      );
    }
    if (this.left(state, 'replacements') > 0) {
      const made = genuinePod(podName(pod), replacementUid(pod), replacementAddress(pod));
      const { resourceVersion: _none, ...metadata } = made.metadata;
      write('replacement', 'replacements', lexicon.numberOf({ ...made, metadata }));
    }
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
