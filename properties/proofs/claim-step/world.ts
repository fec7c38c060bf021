/**
 * The checked world: what a state says, who sees what of it, and how it all begins. `steps.ts` says what can
 * follow.
 */

import { genuinePod, pool, recordOf } from '../../models/husk-pod.ts';
import type { Violation } from '../../oracles/violation.ts';
import { Arrivals } from './arrivals.ts';
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
} from './names.ts';
import type { Scope } from './scope.ts';
import { type Sight, type StepClaim, startMs, Thinking } from './thinking.ts';
import { broken } from './violations.ts';

export const storedKinds: readonly StoredKind[] = ['claims', 'pods', 'records'];

export class CheckedWorld {
  readonly scope: Scope;
  readonly layout: Layout;
  readonly lexicon: Lexicon;
  readonly facts: Facts;
  readonly thinking: Thinking;
  readonly arrivals: Arrivals;
  readonly memories: Memories;
  readonly renamings: readonly Renaming[];
  readonly #sight: Sight;
  /** Number of what a process remembers that has just started. */
  readonly memoryAtStart: number;
  readonly storedOf: Readonly<Record<StoredKind, readonly number[]>>;
  /** By stored position. */
  readonly kindBit: readonly number[];

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
    const kinds = storedKinds.map((kind) => [kind, this.layout.stored(kind)] as const);
    this.storedOf = Object.fromEntries(kinds) as Record<StoredKind, readonly number[]>;
    this.kindBit = Array.from({ length: this.layout.husk(0) }, (_, stored) =>
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
      state[layout.claim(claim)] = scope.sameName && claim > 0 ? unborn : this.claimNumber(claim);
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

  claimNumber(claim: number): number {
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

  isThere(content: number): boolean {
    return content !== absent && content !== unborn;
  }

  violation(state: Uint16Array): Violation | null {
    const sent = (past: number) => (this.lexicon.valueOf(past) as PastContent).sent;
    return broken(state, this.layout, this.facts, sent, this.scope.maxAttempts);
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

  /** Kinds of which a controller's cache is behind, as bits. */
  behindKinds(state: Uint16Array, controller: number): number {
    const { layout } = this;
    let behind = 0;
    for (let stored = 1; stored < layout.husk(0); stored++) {
      if (state[layout.copy(controller, stored)] !== fresh) behind |= this.kindBit[stored] as number;
    }
    return behind;
  }

  /** The cache catches up with some kinds. */
  sync(state: Uint16Array, controller: number, kinds: number): void {
    if (kinds === 0) return;
    const { layout } = this;
    for (let stored = 1; stored < layout.husk(0); stored++) {
      if ((kinds & (this.kindBit[stored] as number)) !== 0) state[layout.copy(controller, stored)] = fresh;
    }
  }
}
