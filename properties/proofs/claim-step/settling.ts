/**
 * Liveness: from a state, once faults end. One controller goes on (with all that it remembers, or after a
 * restart) and the others stop where they are; its cache follows, every answer comes, time passes when nothing
 * else does. That run is walked to its end, in which every claim must be Ready, Failed with a reason,
 * Terminated or gone, and nothing be left over.
 */

import { resultOf } from '../../models/claim-trace.ts';
import type { Step } from '../../models/claim-world.ts';
import type { Violation } from '../../oracles/violation.ts';
import { absent, budgetShift, fresh, reads, unborn } from './layout.ts';
import { controllerName } from './names.ts';
import { StateSet } from './state-set.ts';
import { arrivalRow } from './trace.ts';
import type { CheckedWorld } from './world.ts';

/** Rounds in which each worker has one turn. */
export const longestRun = 100;

const rule = 'issue 5: every claim ends Ready, Failed with a reason, or Terminated, and nothing is left over';

export class Settling {
  readonly #world: CheckedWorld;
  readonly #seen: StateSet;
  readonly #state: Uint16Array;
  readonly #before: Uint16Array;
  readonly #key: Uint16Array;
  readonly #key32: Uint32Array;
  /** By number of the state: the run that met it first, and the rounds that were left then. */
  readonly #runs: number[] = [];
  readonly #rounds: number[] = [];
  #run = 0;
  longest = 0;
  /** What the last run did, when somebody wants to read it. */
  readonly steps: Step[] | null;

  constructor(world: CheckedWorld, steps: Step[] | null = null) {
    this.#world = world;
    this.steps = steps;
    const { width } = world.layout;
    this.#seen = new StateSet(width / 2);
    this.#state = new Uint16Array(width);
    this.#before = new Uint16Array(width);
    this.#key = new Uint16Array(width);
    this.#key32 = new Uint32Array(this.#key.buffer);
  }

  /** Different situations that fair runs went through. */
  get situations(): number {
    return this.#seen.size;
  }

  check(state: Uint16Array): Violation | null {
    const { controllers } = this.#world.layout;
    for (let controller = -1; controller < controllers; controller++) {
      if (controller >= 0 && this.#hasJustStarted(state, controller)) continue;
      const orders = this.#world.thinking.orders.length;
      for (let order = 0; order < orders; order++) {
        const found = this.#follow(state, controller, order);
        if (found !== null) return found;
      }
    }
    return null;
  }

  /** It goes on like any other that has just started. */
  #hasJustStarted(state: Uint16Array, controller: number): boolean {
    const { layout, memoryAtStart } = this.#world;
    for (let claim = 0; claim < layout.claims; claim++) {
      if (state[layout.memory(controller, claim)] !== memoryAtStart) return false;
      if (state[layout.pending(controller, claim)] !== absent) return false;
    }
    return true;
  }

  /** `survivor` goes on as it is; -1: one that has just started. */
  #follow(from: Uint16Array, survivor: number, order: number): Violation | null {
    const { layout } = this.#world;
    const state = this.#state;
    state.set(from);
    state[0] = this.#world.isLate(from) ? 2 << budgetShift.time : 0;
    state.fill(absent, layout.afloat, layout.width);
    for (let controller = 0; controller < layout.controllers; controller++) {
      if (controller === survivor) {
        for (let stored = 1; stored < layout.husk(0); stored++)
          state[layout.copy(controller, stored)] = fresh;
        continue;
      }
      this.#world.restart(state, controller);
      this.#world.bury(state, controller);
    }
    this.#world.memories.tidy(state);
    this.#run += 1;
    if (this.steps !== null) this.steps.length = 0;
    return this.#walk(Math.max(survivor, 0), order, []);
  }

  #walk(controller: number, order: number, chain: number[]): Violation | null {
    const state = this.#state;
    for (let round = 0; round <= longestRun; round++) {
      const number = this.#add(state, controller, order);
      if (number < 0) {
        if (this.#runs[~number] === this.#run) return livelock('the same over and over');
        return this.#end(chain, this.#rounds[~number] as number);
      }
      this.#runs[number] = this.#run;
      chain.push(number);
      this.#before.set(state);
      const { claims } = this.#world.layout;
      for (let claim = 0; claim < claims; claim++) this.#turn(controller, claim, order);
      if (!state.every((word, index) => word === this.#before[index])) continue;
      if (!this.#world.isLate(state)) {
        state[0] = 2 << budgetShift.time;
        this.steps?.push({ who: 'time', what: 'every deadline passes', precondition: '', result: '' });
        continue;
      }
      return this.#leftOver(state) ?? this.#end(chain, 0);
    }
    return livelock(`still at work after ${longestRun} turns of every worker`);
  }

  /** A situation: the state, who goes on, and how pods are listed. */
  #add(state: Uint16Array, controller: number, order: number): number {
    this.#key.set(state);
    this.#key[0] = (state[0] as number) | (controller << 8) | order;
    return this.#seen.add(this.#key32);
  }

  #end(chain: readonly number[], rest: number): null {
    let rounds = rest;
    for (let index = chain.length - 1; index >= 0; index--) {
      rounds += 1;
      this.#rounds[chain[index] as number] = rounds;
    }
    this.longest = Math.max(this.longest, rounds);
    return null;
  }

  #turn(controller: number, claim: number, order: number): void {
    const { layout, facts, arrivals, thinking, memories } = this.#world;
    const state = this.#state;
    if (state[layout.claim(claim)] === unborn) return;
    const pendingAt = layout.pending(controller, claim);
    const memoryAt = layout.memory(controller, claim);
    const pending = state[pendingAt] as number;
    arrivals.missing = 0;
    if (facts.deed(pending) === null) {
      // To read and to think again is one turn: it does nothing to the world.
      for (let thoughts = 0; thoughts < 2; thoughts++) {
        const input = thinking.decide(this.#world.sightOf(state, controller, claim));
        state[memoryAt] = thinking.memoryAfter(input, order);
        state[pendingAt] = thinking.pendingAfter(input, order);
        if (state[pendingAt] !== reads) break;
      }
    } else {
      state[pendingAt] = absent;
      const answer = arrivals.arrive(state, pending, controller, 'answered');
      this.steps?.push(
        arrivalRow(this.#world, `${controllerName(controller)} alone`, pending, resultOf(answer)),
      );
      if (answer !== null)
        state[memoryAt] = thinking.takeIn(controller, claim, state[memoryAt] as number, answer);
    }
    memories.tidy(state);
  }

  #leftOver(state: Uint16Array): Violation | null {
    const { layout, facts } = this.#world;
    for (let claim = 0; claim < layout.claims; claim++) {
      const found = facts.claimOrNull(state[layout.claim(claim)] as number);
      if (found === null) continue;
      const ended =
        found.phase === 'Ready' || found.phase === 'Terminated' || (found.phase === 'Failed' && found.reason);
      if (found.deleting || !ended) {
        return stays(`claim-${claim} stays ${found.deleting ? 'Terminating' : found.phase}`);
      }
      if (found.phase !== 'Ready' && found.tokenUid !== '')
        return stays(`claim-${claim} ended and keeps its token`);
    }
    for (let pod = 0; pod < layout.pods; pod++) {
      const record = state[layout.record(pod)] as number;
      const { alive, holds, seen } = facts.husk(state[layout.husk(pod)] as number);
      const holder = record === absent ? -1 : facts.holder(record);
      const serves = this.#isServedBy(state, pod);
      if (holder >= 0 && holder !== serves)
        return stays(`the ledger still holds husk-${pod} for claim-${holder}`);
      if (!alive) continue;
      if (record === absent) return stays(`husk-${pod} still runs, and no record names it`);
      if (holds >= 0 && holds !== serves) return stays(`husk-${pod} still runs for claim-${holds}`);
      if (seen.some((claim) => claim !== serves)) return stays(`husk-${pod} still runs with secrets`);
    }
    return null;
  }

  /** The claim that is Ready on that pod; -1: none. */
  #isServedBy(state: Uint16Array, pod: number): number {
    const { layout, facts } = this.#world;
    for (let claim = 0; claim < layout.claims; claim++) {
      if (facts.claimOrNull(state[layout.claim(claim)] as number)?.servedBy === pod) return claim;
    }
    return -1;
  }
}

function livelock(observed: string): Violation {
  return { observed, required: 'a bounded number of steps', requiredRule: rule };
}

function stays(observed: string): Violation {
  return { observed, required: 'nothing is left over', requiredRule: rule };
}
