/**
 * Every step that can follow a state. Time, faults and the scheduler are as free as the scope allows; a worker
 * only ever does what claim-step says.
 */
import type { Outcome } from '../../models/claim-world.ts';
import { genuinePod } from '../../models/husk-pod.ts';
import type { Fate } from './arrivals.ts';
import type { ClaimContent } from './facts.ts';
import { absent, type BudgetName, budgetShift, fresh, reads, type StoredKind, unborn } from './layout.ts';
import { podName, replacementAddress, replacementUid } from './names.ts';
import { plain } from './plain-claim.ts';
import { startMs } from './thinking.ts';
import type { CheckedWorld } from './world.ts';

export type StepKind =
  | 'thinks'
  | 'arrives'
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
  /** The action that arrives; of a thought: the order in which it saw the pods. */
  deed: number;
  /** The answer to the action. */
  answer: Outcome | null;
  /** As bits: of a thought, kinds that the cache caught up with before; of a write, controllers that miss it. */
  captures: number;
}

export class Steps {
  readonly #world: CheckedWorld;
  readonly offered: Offered = {
    kind: 'time',
    controller: -1,
    claim: -1,
    pod: -1,
    fate: 'answered',
    deed: 0,
    answer: null,
    captures: 0,
  };
  /** The state that is offered. */
  readonly next: Uint16Array;
  readonly #caughtUp: Uint16Array;
  /** By content of a claim. */
  readonly #askedToGo: number[] = [];

  constructor(world: CheckedWorld) {
    this.#world = world;
    this.next = new Uint16Array(world.layout.width);
    this.#caughtUp = new Uint16Array(world.layout.width);
  }

  /** Offers every next state in `next`, with what led to it in `offered`; `take` copies what it keeps. */
  expand(state: Uint16Array, consider: () => void): void {
    const { layout } = this.#world;
    const take = () => {
      const { kind, captures, controller, claim } = this.offered;
      // A thought from the view that was there already changes nobody but the worker that thinks.
      if (kind === 'thinks' && captures === 0) this.#world.memories.tidyWorker(this.next, controller, claim);
      else this.#world.memories.tidy(this.next);
      consider();
    };
    for (let controller = 0; controller < layout.controllers; controller++) {
      for (let claim = 0; claim < layout.claims; claim++) {
        if (state[layout.claim(claim)] === unborn) continue;
        const pending = state[layout.pending(controller, claim)] as number;
        if (this.#world.facts.deed(pending) === null) this.#think(state, controller, claim, take);
        else this.#arrive(state, controller, claim, pending, take);
      }
      if (this.#world.left(state, 'crashes') > 0) this.#crash(state, controller, take);
    }
    for (let slot = 0; slot < layout.afloatSlots; slot++) this.#late(state, slot, take);
    for (let claim = 0; claim < layout.claims; claim++) this.#authors(state, claim, take);
    for (let pod = 0; pod < layout.pods; pod++) this.#tenants(state, pod, take);
    if (this.#world.left(state, 'time') === 1) {
      this.#offer(state, 'time', -1, -1, -1);
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
    this.#world.arrivals.broken = null;
  }

  #spend(state: Uint16Array, name: BudgetName): void {
    state[0] = (state[0] as number) - (1 << budgetShift[name]);
  }

  /** What the thought makes pending, in one of the orders in which pods may be listed. */
  #pendingAfter(state: Uint16Array, controller: number, input: number, order: number, live: boolean): number {
    const pending = this.#world.thinking.pendingAfter(input, order);
    const guard = this.#world.facts.deed(pending)?.guard ?? 0;
    // Decided from a version that is not stored any more: it can only be refused.
    return guard !== 0 && !live && state[this.#world.layout.copy(controller, guard)] !== fresh
      ? absent
      : pending;
  }

  #think(state: Uint16Array, controller: number, claim: number, take: () => void): void {
    const live = state[this.#world.layout.pending(controller, claim)] === reads;
    const stale = live ? 0 : this.#world.behindKinds(state, controller);
    for (let subset = stale; ; subset = (subset - 1) & stale) {
      this.#thinkSeeing(state, controller, claim, subset, take);
      if (subset === 0) break;
    }
  }

  #thinkSeeing(state: Uint16Array, controller: number, claim: number, kinds: number, take: () => void): void {
    const { layout, thinking } = this.#world;
    const { next, offered } = this;
    const memoryAt = layout.memory(controller, claim);
    const pendingAt = layout.pending(controller, claim);
    const live = state[pendingAt] === reads;
    let seen = state;
    if (kinds !== 0) {
      seen = this.#caughtUp;
      seen.set(state);
      this.#world.sync(seen, controller, kinds);
    }
    const input = thinking.decide(this.#world.sightOf(seen, controller, claim));
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
    const { layout } = this.#world;
    let behind = 0;
    for (let controller = 0; controller < layout.controllers; controller++) {
      for (const stored of this.#world.storedOf[kind]) {
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
      this.#world.arrivals.missing = 0;
      step(0);
      return;
    }
    const behind = this.#behind(state, kind);
    const lags = this.#world.left(state, 'lags');
    const everybody = (1 << this.#world.layout.controllers) - 1;
    for (let misses = lags === 0 ? 0 : everybody; ; misses--) {
      if (bitCount(misses) <= lags) {
        this.#world.arrivals.missing = behind | misses;
        step(misses);
      }
      if (misses === 0) break;
    }
  }

  /** To be called on the offered state, before the write. */
  #miss(state: Uint16Array, misses: number, kind: StoredKind): void {
    const { layout } = this.#world;
    const { next, offered } = this;
    offered.captures = misses;
    if (misses === 0) return;
    next[0] = (next[0] as number) - (bitCount(misses) << budgetShift.lags);
    const again = misses & this.#behind(state, kind);
    for (let controller = 0; controller < layout.controllers; controller++) {
      if ((again & (1 << controller)) === 0) continue;
      for (const stored of this.#world.storedOf[kind]) next[layout.copy(controller, stored)] = fresh;
    }
  }

  #kindWritten(deed: number): StoredKind | null {
    const action = this.#world.facts.deed(deed)?.action;
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
    const losses = this.#world.left(state, 'losses');
    const pendingAt = this.#world.layout.pending(controller, claim);
    const memoryAt = this.#world.layout.memory(controller, claim);
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
        const answer = this.#world.arrivals.arrive(this.next, deed, controller, fate);
        this.offered.answer = answer;
        if (answer !== null) {
          const memory = this.next[memoryAt] as number;
          this.next[memoryAt] = this.#world.thinking.takeIn(controller, claim, memory, answer);
        }
        take();
      });
    }
  }

  #crash(state: Uint16Array, controller: number, take: () => void): void {
    const { layout } = this.#world;
    const { next } = this;
    this.#offer(state, 'crash', controller, -1, -1);
    this.#spend(next, 'crashes');
    for (let claim = 0; claim < layout.claims; claim++) {
      const pending = state[layout.pending(controller, claim)] as number;
      if (this.#world.facts.deed(pending)?.potent === true) this.#setAfloat(next, pending);
    }
    this.#world.restart(next, controller);
    this.#world.bury(next, controller);
    // A process that has nothing to lose: what can follow is what could follow anyway.
    if (next.some((value, word) => word > 0 && value !== state[word])) take();
  }

  #setAfloat(state: Uint16Array, deed: number): void {
    const { afloat, afloatSlots } = this.#world.layout;
    for (let slot = afloat; slot < afloat + afloatSlots; slot++) {
      if (state[slot] !== absent) continue;
      state[slot] = deed;
      return;
    }
    throw new Error('more actions afloat than the layout has room for');
  }

  /** An action of a process that is dead arrives after all. */
  #late(state: Uint16Array, slot: number, take: () => void): void {
    const at = this.#world.layout.afloat + slot;
    const deed = state[at] as number;
    if (deed === absent) return;
    const kind = this.#kindWritten(deed);
    this.#withMisses(state, kind, (misses) => {
      this.#offer(state, 'late', -1, this.#world.facts.deed(deed)?.claim ?? -1, -1);
      if (kind !== null) this.#miss(state, misses, kind);
      this.next[at] = absent;
      this.offered.deed = deed;
      this.offered.answer = this.#world.arrivals.arrive(this.next, deed, -1, 'answered');
      take();
    });
  }

  #authors(state: Uint16Array, claim: number, take: () => void): void {
    const { layout } = this.#world;
    const { next } = this;
    const at = layout.claim(claim);
    const content = state[at] as number;
    const write = (kind: StepKind, budget: BudgetName | null, after: number) =>
      this.#withMisses(state, 'claims', (misses) => {
        this.#offer(state, kind, -1, claim, -1);
        this.#miss(state, misses, 'claims');
        if (budget !== null) this.#spend(next, budget);
        this.#world.arrivals.store(next, at, after);
        take();
      });
    if (content === unborn) {
      const before = state[layout.claim(claim - 1)] as number;
      if (before === absent) write('creation', null, this.#world.claimNumber(claim));
      return;
    }
    if (content === absent) return;
    if (this.#world.left(state, 'annotations') > 0) write('annotation', 'annotations', content);
    if (this.#world.left(state, 'deletions') === 0 || this.#world.facts.claim(content).deleting) return;
    write('deletion', 'deletions', this.#asked(content));
  }

  /** The claim once its author has deleted it: it waits for its finalizers, or is gone. */
  #asked(content: number): number {
    const known = this.#askedToGo[content];
    if (known !== undefined) return known;
    const { lexicon } = this.#world;
    const object = lexicon.valueOf(content) as ClaimContent;
    const metadata = { ...object.metadata, deletionTimestamp: new Date(startMs).toISOString() };
    const waits = (object.metadata.finalizers ?? []).length > 0;
    const after = waits ? lexicon.numberOf(plain({ ...object, metadata })) : absent;
    this.#askedToGo[content] = after;
    return after;
  }

  #tenants(state: Uint16Array, pod: number, take: () => void): void {
    const { layout, lexicon } = this.#world;
    const { next } = this;
    const at = layout.pod(pod);
    const content = state[at] as number;
    const { alive } = this.#world.facts.husk(state[layout.husk(pod)] as number);
    if (content === absent || !alive) return;
    const write = (kind: StepKind, budget: BudgetName, after: number) =>
      this.#withMisses(state, 'pods', (misses) => {
        this.#offer(state, kind, -1, -1, pod);
        this.#miss(state, misses, 'pods');
        this.#spend(next, budget);
        this.#world.arrivals.stopHusk(next, pod);
        this.#world.arrivals.store(next, at, after);
        take();
      });
    if (this.#world.left(state, 'deaths') > 0) {
      const object = lexicon.valueOf(content) as { readonly status: object };
      write(
        'death',
        'deaths',
        lexicon.numberOf({ ...object, status: { ...object.status, phase: 'Failed' } }),
      );
    }
    if (this.#world.left(state, 'replacements') > 0) {
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
