/**
 * What a worker decides: claim-step itself, asked once for each different input and remembered.
 * Invariant: the key of what is remembered holds everything that differs between two inputs. Versions are
 * handed in as words that only say whose version it is: that claim-step copies them and never looks into
 * them is checked, not assumed (`opaque.ts`).
 */
import type { Action, Outcome } from '../../models/claim-world.ts';
import { controllerNamespace } from '../../models/claim-world.ts';
import { pool } from '../../models/husk-pod.ts';
import type { claimStep } from '../../protocol/claim-step.ts';
import type { ConfigOf, InputOf } from '../../protocol/decision.ts';
import type { Deed } from './deeds.ts';
import { absent, type Layout, reads, unborn } from './layout.ts';
import type { Lexicon } from './lexicon.ts';
import {
  claimName,
  claimUid,
  inverseOf,
  processName,
  type Renaming,
  recordVersion,
  renamesPodsOnly,
  versionOf,
} from './names.ts';
import type { Scope } from './scope.ts';
import { StateSet } from './state-set.ts';

export type Config = ConfigOf<typeof claimStep>;
export type Event = InputOf<typeof claimStep>['event'];

/** The decision that is checked. `null` is the memory of a process that has just started. */
export type StepClaim = (config: Config, memory: unknown, event: Event) => Step;

export interface Step {
  readonly state: unknown;
  readonly actions: readonly Action[];
  readonly rule: string;
}

export const startMs = Date.parse('2026-11-24T00:00:00Z');
export const claimDeadlineMs = 60_000;
/** After every deadline that a claim has. */
export const laterMs = startMs + 10 * claimDeadlineMs;

/** What a worker sees, as numbers of the lexicon. */
export interface Sight {
  readonly controller: number;
  readonly claim: number;
  memory: number;
  /** `reads` or `absent`. */
  pending: number;
  late: boolean;
  object: number;
  readonly pods: Uint16Array;
  readonly records: Uint16Array;
}

export interface Taken {
  readonly controller: number;
  readonly claim: number;
  readonly memory: number;
  readonly last: Outcome;
  readonly after: number;
}

export class Thinking {
  readonly #step: StepClaim;
  readonly #lexicon: Lexicon;
  readonly #scope: Scope;
  readonly #renamings: readonly Renaming[];
  readonly #inputs: StateSet;
  readonly #key: Uint32Array;
  readonly #words: Uint16Array;
  readonly #taken = new Map<Outcome, Map<number, Taken>>();
  /** By number of the input: the memory afterwards and what is pending then. */
  #memories = new Uint16Array(1 << 12);
  #decided = new Uint16Array(1 << 12);
  /** Renamings of pods alone, each with its inverse: the orders in which pods may be listed. */
  readonly orders: readonly (readonly [number, number])[];
  readonly configs: readonly Config[];

  constructor(
    step: StepClaim,
    scope: Scope,
    layout: Layout,
    lexicon: Lexicon,
    renamings: readonly Renaming[],
  ) {
    this.#step = step;
    this.#scope = scope;
    this.#lexicon = lexicon;
    this.#renamings = renamings;
    const words = 4 + 2 * layout.pods;
    this.#words = new Uint16Array(words);
    this.#key = new Uint32Array(this.#words.buffer);
    this.#inputs = new StateSet(words / 2);
    this.orders = renamings.flatMap((renaming, index) =>
      renamesPodsOnly(renaming) ? [[index, inverseOf(renamings, index)] as const] : [],
    );
    this.configs = Array.from({ length: scope.controllers }, (_, controller) => configOf(scope, controller));
  }

  /** Different inputs so far. */
  get inputs(): number {
    return this.#inputs.size;
  }

  /**
   * The number of the input. Its results stand in `memoryAfter` and `pendingAfter`, for each order in which
   * the pods may be listed and their UIDs sorted.
   */
  decide(sight: Sight): number {
    const words = this.#words;
    const { claim, controller, late } = sight;
    words[0] = claim | (controller << 4) | (late ? 1 << 8 : 0);
    words[1] = sight.memory;
    words[2] = sight.pending;
    words[3] = sight.object === unborn ? absent : sight.object;
    words.set(sight.pods, 4);
    words.set(sight.records, 4 + sight.pods.length);
    const number = this.#inputs.add(this.#key);
    if (number < 0) return ~number;
    const orders = this.orders.length;
    if ((number + 1) * orders > this.#memories.length) {
      this.#memories = enlarged(this.#memories);
      this.#decided = enlarged(this.#decided);
    }
    for (let order = 0; order < orders; order++) {
      const { memory, pending } = this.#ask(sight, order);
      this.#memories[number * orders + order] = memory;
      this.#decided[number * orders + order] = pending;
    }
    return number;
  }

  #ask(sight: Sight, order: number): { memory: number; pending: number } {
    const [there, back] = this.orders[order] as readonly [number, number];
    const { state, actions } = this.explain(order === 0 ? sight : this.reordered(sight, there));
    const [action] = actions;
    const memory = this.#lexicon.image(back, this.#lexicon.numberOf(state));
    if (action === undefined || action.kind === 'wait') return { memory, pending: absent };
    if (action.kind === 'read') return { memory, pending: reads };
    const deed = this.#lexicon.numberOf({ owner: claimUid(sight.claim), action } satisfies Deed);
    return { memory, pending: this.#lexicon.image(back, deed) };
  }

  /** The same sight with the pods renamed. */
  reordered(sight: Sight, renaming: number): Sight {
    const lexicon = this.#lexicon;
    const { pods: moves } = this.#renamings[renaming] as Renaming;
    const pods = sight.pods.slice();
    const records = sight.records.slice();
    moves.forEach((to, from) => {
      pods[to] = lexicon.image(renaming, sight.pods[from] as number);
      records[to] = lexicon.image(renaming, sight.records[from] as number);
    });
    const [memory, pending, object] = [sight.memory, sight.pending, sight.object].map((number) =>
      lexicon.image(renaming, number),
    ) as [number, number, number];
    return { ...sight, memory, pending, object, pods, records };
  }

  /**
   * The memory once an answer has been taken in, before anything is decided: what is left when there is
   * nothing to see and nothing to do. That it makes no difference whether a worker takes an answer in at
   * once or when it thinks next is checked for every input that occurs (`checkAnswers`).
   */
  takeIn(controller: number, claim: number, memory: number, last: Outcome): number {
    let taken = this.#taken.get(last);
    if (taken === undefined) {
      taken = new Map();
      this.#taken.set(last, taken);
    }
    const key = (memory * 8 + controller) * 8 + claim;
    const known = taken.get(key);
    if (known !== undefined) return known.after;
    const nothing = new Uint16Array(this.#scope.husks.length);
    const sight: Sight = {
      controller,
      claim,
      memory,
      pending: reads,
      late: false,
      object: absent,
      pods: nothing,
      records: nothing,
    };
    const { state, actions } = this.explain(sight, last);
    if (last.of === 'write' && last.purpose === 'revoke' && last.result === 'done') {
      const other = this.explain(sight, { ...last, result: 'not-found', created: null });
      if (this.#lexicon.numberOf(other.state) !== this.#lexicon.numberOf(state)) {
        throw new Error('claim-step tells a token that it revoked from one that was gone');
      }
    }
    if (actions.length > 0)
      throw new Error('claim-step acts for a claim that is not there and holds nothing');
    const after = this.#lexicon.numberOf(state);
    taken.set(key, { controller, claim, memory, last, after });
    return after;
  }

  memoryAfter(input: number, order: number): number {
    return this.#memories[input * this.orders.length + order] as number;
  }

  pendingAfter(input: number, order: number): number {
    return this.#decided[input * this.orders.length + order] as number;
  }

  /** What claim-step says, unabridged; `last`: the answer that it is told of. */
  explain(sight: Sight, last: Outcome | null = null): Step {
    const config = this.configs[sight.controller] as Config;
    return this.#step(config, this.#lexicon.valueOf(sight.memory), this.#eventOf(sight, last, '', 0));
  }

  /** The same, with other words for the versions and a little later. */
  explainOtherwise(sight: Sight): Step {
    const config = this.configs[sight.controller] as Config;
    const event = this.#eventOf(sight, null, 'another ', claimDeadlineMs / 2);
    return this.#step(config, this.#lexicon.valueOf(sight.memory), event);
  }

  /** Every input so far. */
  *sights(): Generator<Sight> {
    const pods = this.#scope.husks.length;
    for (let number = 0; number < this.#inputs.size; number++) {
      this.#inputs.read(number, this.#key);
      const [first = 0, memory = 0, pending = 0, object = 0] = this.#words;
      yield {
        claim: first & 15,
        controller: (first >> 4) & 15,
        late: first >> 8 === 1,
        memory,
        pending,
        object,
        pods: this.#words.slice(4, 4 + pods),
        records: this.#words.slice(4 + pods, 4 + 2 * pods),
      };
    }
  }

  /** Answers that were taken in at once. */
  answersTaken(): readonly Taken[] {
    return [...this.#taken.values()].flatMap((taken) => [...taken.values()]);
  }

  #eventOf(sight: Sight, last: Outcome | null, version: string, passedMs: number): Event {
    const { claim, pending, late } = sight;
    const object = this.#lexicon.valueOf(sight.object === unborn ? absent : sight.object);
    return {
      nowMs: (late ? laterMs : startMs) + passedMs,
      leading: true,
      owner: {
        kind: 'SandboxClaim',
        namespace: pool.namespace,
        name: claimName(this.#scope, claim),
        uid: claimUid(claim),
      },
      object: object === null ? null : versioned(object, version),
      live: pending === reads,
      authorized: ['db'],
      source: null,
      pool,
      ledger: [...sight.records].flatMap((number, index) => {
        const record = this.#lexicon.valueOf(number);
        return record === null
          ? []
          : [{ ...(record as Event['ledger'][number]), resourceVersion: version + recordVersion(index) }];
      }),
      pods: [...sight.pods].flatMap((number) => {
        const pod = this.#lexicon.valueOf(number);
        return pod === null ? [] : [versioned(pod, version)];
      }),
      last,
    };
  }
}

function enlarged(array: Uint16Array): Uint16Array<ArrayBuffer> {
  const larger = new Uint16Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Content has no version: whoever reads it is told whose version it would be. */
function versioned(object: unknown, word: string): unknown {
  const { metadata } = object as { readonly metadata: { readonly uid: string } };
  return {
    ...(object as object),
    metadata: { ...metadata, resourceVersion: word + versionOf(metadata.uid) },
  };
}

export function configOf({ maxAttempts }: Scope, controller: number): Config {
  return {
    identity: processName(controller),
    controllerNamespace,
    writeDeadlineMs: 5_000,
    callDeadlineMs: 10_000,
    claimDeadlineMs,
    maxAttempts,
    retryAfterMs: 1_000,
    systemSecrets: ['mitos-ca', 'mitos-forkd-tls'],
  };
}
