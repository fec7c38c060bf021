/**
 * What a worker remembers and can never use again is taken out of its memory, or each of the histories that
 * lead to one situation would be a situation of its own.
 * Invariant: with or without what is taken out, every later decision is the same. That is checked, not
 * assumed: exhaustively in a smaller world, and by runs through the real claim world (`bisimulation.test.ts`).
 */
import type { Facts, PastContent } from './facts.ts';
import { absent, fresh, type Layout } from './layout.ts';
import type { Lexicon } from './lexicon.ts';
import { podUid } from './names.ts';
import type { Sight, Thinking } from './thinking.ts';

/** As the reference keeps it; `claim-events.ts` says what each means. */
interface Memory {
  readonly attempt: { readonly podUid: string; readonly number: number } | null;
  readonly token: { readonly uid: string } | null;
  readonly acting: string | null;
  readonly deleted: readonly string[];
  readonly [field: string]: unknown;
}

interface MemoryFacts {
  /** It has something that could be taken out. */
  readonly rich: boolean;
  readonly attemptPod: number;
  readonly attemptNumber: number;
  readonly hasToken: boolean;
  readonly hasActing: boolean;
  readonly deletedPods: number;
  readonly deletedTokens: readonly string[];
  /** By what is kept, as bits: the memory that remains. */
  readonly kept: Int32Array;
}

const keepsAttempt = 1;
const keepsToken = 2;
const keepsActing = 4;
const keepsDeletedTokens = 8;
const deletedPodsShift = 4;

export class Memories {
  readonly #lexicon: Lexicon;
  readonly #layout: Layout;
  readonly #facts: Facts;
  readonly #thinking: Thinking;
  readonly #sightOf: (state: Uint16Array, controller: number, claim: number) => Sight;
  readonly #memories: MemoryFacts[] = [];
  readonly #neverSent: number;

  constructor(
    lexicon: Lexicon,
    layout: Layout,
    facts: Facts,
    thinking: Thinking,
    sightOf: (state: Uint16Array, controller: number, claim: number) => Sight,
  ) {
    this.#thinking = thinking;
    this.#sightOf = sightOf;
    this.#lexicon = lexicon;
    this.#layout = layout;
    this.#facts = facts;
    this.#neverSent = lexicon.numberOf({ sent: 0 } satisfies PastContent);
  }

  /** Takes out of every memory in the state what is of no use any more. */
  tidy(state: Uint16Array): void {
    const layout = this.#layout;
    const { claims, controllers, afloat, afloatSlots } = layout;
    for (let slot = afloat; slot < afloat + afloatSlots; slot++) {
      if (state[slot] !== absent && this.#comesTooLate(state, state[slot] as number)) state[slot] = absent;
    }
    for (let controller = 0; controller < controllers; controller++) {
      for (let claim = 0; claim < claims; claim++) this.tidyWorker(state, controller, claim);
    }
    for (let claim = 0; claim < claims; claim++) this.#tidySent(state, claim);
  }

  tidyWorker(state: Uint16Array, controller: number, claim: number): void {
    const at = this.#layout.memory(controller, claim);
    const before = state[at] as number;
    const facts = this.#factsOf(before);
    if (!facts.rich) return;
    const uses = this.#uses(state, controller, claim, facts);
    const after = this.#remains(before, facts, uses);
    if (after !== before) {
      state[at] = after;
      if (this.#makesADifference(state, controller, claim, before)) {
        state[at] = before;
        return;
      }
    }
    // Who answers a dial is of interest for that attempt alone, and a dial does nothing to a husk.
    const pending = this.#layout.pending(controller, claim);
    if ((uses & keepsAttempt) === 0 && this.#facts.pending(state[pending] as number).kind === 'dial') {
      state[pending] = absent;
    }
  }

  /** What would be decided here and now: with a mistake in claim-step, what is taken out may matter. */
  #makesADifference(state: Uint16Array, controller: number, claim: number, memory: number): boolean {
    const thinking = this.#thinking;
    const sight = { ...this.#sightOf(state, controller, claim), pending: absent };
    const [without, having] = [thinking.decide(sight), thinking.decide({ ...sight, memory })];
    return thinking.orders.some(
      (_, order) => thinking.pendingAfter(without, order) !== thinking.pendingAfter(having, order),
    );
  }

  /** How often its secrets were sent is of no interest once they can be sent no more. */
  #tidySent(state: Uint16Array, claim: number): void {
    const layout = this.#layout;
    if (state[layout.past(claim)] === this.#neverSent) return;
    const settled = (content: number) => this.#facts.claimOrNull(content)?.settled ?? content === absent;
    const delivers = (pending: number) => {
      const deed = this.#facts.deed(pending);
      return deed !== null && deed.claim === claim && deed.action.kind === 'deliver';
    };
    if (!settled(state[layout.claim(claim)] as number)) return;
    for (let controller = 0; controller < layout.controllers; controller++) {
      const copy = state[layout.copy(controller, layout.claim(claim))] as number;
      if (copy !== fresh && !settled(copy)) return;
      if (delivers(state[layout.pending(controller, claim)] as number)) return;
    }
    for (let slot = layout.afloat; slot < layout.afloat + layout.afloatSlots; slot++) {
      if (delivers(state[slot] as number)) return;
    }
    state[layout.past(claim)] = this.#neverSent;
  }

  /** What is for a pod that is gone does nothing any more. */
  #comesTooLate(state: Uint16Array, number: number): boolean {
    const action = this.#facts.deed(number)?.action;
    if (action === undefined) return false;
    for (let pod = 0; pod < this.#layout.pods; pod++) {
      const { alive } = this.#facts.husk(state[this.#layout.husk(pod)] as number);
      const gone = state[this.#layout.pod(pod)] === absent && !alive;
      const isFor =
        action.kind === 'deliver'
          ? action.identity?.podUid === podUid(pod)
          : action.kind === 'delete' &&
            action.target.kind === 'Pod' &&
            action.precondition.uid === podUid(pod);
      if (gone && isFor) return true;
    }
    return false;
  }

  /** What was made of a memory, itself included. */
  remainsOf(number: number): ReadonlySet<number> {
    return new Set([number, ...this.#factsOf(number).kept].filter((one) => one >= 0));
  }

  /** Whether a late action may still do something. */
  isPotent(state: Uint16Array, deed: number): boolean {
    return !this.#comesTooLate(state, deed);
  }

  #factsOf(number: number): MemoryFacts {
    const known = this.#memories[number];
    if (known !== undefined) return known;
    const memory = this.#lexicon.valueOf(number) as Memory | null;
    const { attempt = null, token = null, acting = null, deleted = [] } = memory ?? {};
    const pods = Array.from({ length: this.#layout.pods }, (_, pod) => podUid(pod));
    const found: MemoryFacts = {
      rich: attempt !== null || token !== null || acting !== null || deleted.length > 0,
      attemptPod: pods.indexOf(attempt?.podUid ?? ''),
      attemptNumber: attempt?.number ?? 0,
      hasToken: token !== null,
      hasActing: acting !== null,
      deletedPods: pods.reduce((bits, uid, pod) => bits | (deleted.includes(uid) ? 1 << pod : 0), 0),
      deletedTokens: deleted.filter((uid) => !pods.includes(uid)),
      kept: new Int32Array(1 << (deletedPodsShift + this.#layout.pods)).fill(-1),
    };
    this.#memories[number] = found;
    return found;
  }

  #remains(number: number, { kept }: MemoryFacts, uses: number): number {
    const known = kept[uses] as number;
    if (known >= 0) return known;
    const memory = this.#lexicon.valueOf(number) as Memory;
    const pods = Array.from({ length: this.#layout.pods }, (_, pod) => podUid(pod));
    const after = this.#lexicon.numberOf({
      ...memory,
      attempt: (uses & keepsAttempt) === 0 ? null : memory.attempt,
      token: (uses & keepsToken) === 0 ? null : memory.token,
      acting: (uses & keepsActing) === 0 ? null : memory.acting,
      deleted: memory.deleted.filter((uid) => {
        const pod = pods.indexOf(uid);
        return (uses & (pod < 0 ? keepsDeletedTokens : 1 << (deletedPodsShift + pod))) !== 0;
      }),
    });
    kept[uses] = after;
    return after;
  }

  /** What the worker may yet use. */
  #uses(state: Uint16Array, controller: number, claim: number, memory: MemoryFacts): number {
    const layout = this.#layout;
    const stored = state[layout.claim(claim)] as number;
    const copied = state[layout.copy(controller, layout.claim(claim))] as number;
    const pending = state[layout.pending(controller, claim)] as number;
    let uses = pending === absent ? 0 : this.#usesOfPending(pending);
    uses |= this.#usesOfClaim(stored, controller, memory);
    if (copied !== fresh) uses |= this.#usesOfClaim(copied, controller, memory);
    for (let pod = 0; pod < layout.pods; pod++) {
      if ((memory.deletedPods & (1 << pod)) === 0) continue;
      const record = layout.record(pod);
      const copy = state[layout.copy(controller, record)] as number;
      if (this.#mayReap(state[record] as number, claim) || (copy !== fresh && this.#mayReap(copy, claim))) {
        uses |= 1 << (deletedPodsShift + pod);
      }
    }
    return uses;
  }

  #mayReap(record: number, claim: number): boolean {
    if (record === absent) return false;
    const holder = this.#facts.holder(record);
    return holder < 0 || holder === claim;
  }

  /** An answer about the attempt is still to come or to be thought about, or the intent that it belongs to. */
  #usesOfPending(pending: number): number {
    const { purpose } = this.#facts.pending(pending);
    if (purpose === 'intend' || purpose === 'take-over') return keepsAttempt;
    return purpose === 'token' ? keepsActing : 0;
  }

  #usesOfClaim(content: number, controller: number, memory: MemoryFacts): number {
    const claim = this.#facts.claimOrNull(content);
    if (claim === null) return 0;
    let uses = memory.deletedTokens.includes(claim.tokenUid) ? keepsDeletedTokens : 0;
    if (claim.settled) return uses;
    if (claim.tokenUid === '') uses |= keepsToken;
    const matches = claim.intends === memory.attemptPod && claim.attempt === memory.attemptNumber;
    if (matches && claim.by === controller) uses |= keepsAttempt;
    return uses;
  }
}
