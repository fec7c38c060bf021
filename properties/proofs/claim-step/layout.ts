/**
 * Where in a state what stands: 16-bit words, nearly all of them numbers of the lexicon.
 * Of a version only one thing matters: whether a copy of an object, or a write that was decided from one,
 * still has the version that is stored. A copy that has is the word `fresh`, one that has not is its content;
 * a write that has not can only be refused, and is left out as if it were answered.
 */
import type { Scope } from './scope.ts';

/** Words that are no values. */
export const absent = 0;
export const fresh = 1;
/** A worker that reads everything from the API server before it thinks. */
export const reads = 2;
/** A claim that was not created yet. */
export const unborn = 3;
export const markers: readonly unknown[] = [null, 'fresh', 'reads', 'unborn'];

/** What is left of each fault, and whether time has passed: two bits each in word 0. */
export const budgetNames = [
  'crashes',
  'losses',
  'deletions',
  'annotations',
  'deaths',
  'replacements',
  'lags',
  'time',
] as const;
export type BudgetName = (typeof budgetNames)[number];

export const budgetShift: Readonly<Record<BudgetName, number>> = {
  crashes: 0,
  losses: 2,
  deletions: 4,
  annotations: 6,
  deaths: 8,
  replacements: 10,
  lags: 12,
  time: 14,
};

export type StoredKind = 'claims' | 'pods' | 'records';

export class Layout {
  readonly claims: number;
  readonly pods: number;
  readonly controllers: number;
  /** Words of 16 bits; even. */
  readonly width: number;
  readonly afloat: number;
  readonly afloatSlots: number;
  /** Words in which a process may be named: claims, what is remembered and what is on its way. */
  readonly naming: readonly number[];
  /** Where the first controller's words stand, how many each has, and how many of them are copies. */
  readonly #controller: number;
  readonly #perController: number;
  readonly #copies: number;

  constructor({ claims, husks, controllers, crashes }: Scope) {
    this.claims = claims;
    this.pods = husks.length;
    this.controllers = controllers;
    this.#copies = claims + 2 * this.pods;
    this.#perController = this.#copies + 2 * claims;
    this.#controller = 1 + 2 * claims + 3 * this.pods;
    this.afloat = this.#controller + controllers * this.#perController;
    this.afloatSlots = crashes * claims;
    this.width = Math.ceil((this.afloat + this.afloatSlots) / 2) * 2;
    const each = (count: number) => Array.from({ length: count }, (_, index) => index);
    this.naming = [
      ...each(claims).map((claim) => this.claim(claim)),
      ...each(controllers).flatMap((controller) =>
        each(claims).flatMap((claim) => [
          this.copy(controller, this.claim(claim)),
          this.memory(controller, claim),
          this.pending(controller, claim),
        ]),
      ),
      ...each(this.afloatSlots).map((slot) => this.afloat + slot),
    ];
  }

  /** As the API server stores it. */
  claim(index: number): number {
    return 1 + index;
  }

  pod(index: number): number {
    return 1 + this.claims + index;
  }

  record(index: number): number {
    return 1 + this.claims + this.pods + index;
  }

  /** What lives in the pod and what it has seen. */
  husk(index: number): number {
    return 1 + this.claims + 2 * this.pods + index;
  }

  /** How often a claim's secrets were sent, and which of its tokens were revoked. */
  past(claim: number): number {
    return 1 + this.claims + 3 * this.pods + claim;
  }

  /** A controller's copy of what is stored at that position. */
  copy(controller: number, stored: number): number {
    return this.#controller + controller * this.#perController + stored - 1;
  }

  memory(controller: number, claim: number): number {
    return this.#controller + controller * this.#perController + this.#copies + claim;
  }

  /** What a worker waits for: nothing, an answer to think about, or the end of its action. */
  pending(controller: number, claim: number): number {
    return this.memory(controller, claim) + this.claims;
  }

  /** Stored positions of one kind. */
  stored(kind: StoredKind): readonly number[] {
    const count = kind === 'claims' ? this.claims : this.pods;
    const first = kind === 'claims' ? this.claim(0) : kind === 'pods' ? this.pod(0) : this.record(0);
    return Array.from({ length: count }, (_, index) => first + index);
  }

  kindAt(stored: number): StoredKind {
    if (stored < this.pod(0)) return 'claims';
    return stored < this.record(0) ? 'pods' : 'records';
  }
}
