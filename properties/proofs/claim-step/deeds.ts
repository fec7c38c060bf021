/** What a worker waits for, as the lexicon keeps it. */
import type { Action, Outcome } from '../../models/claim-world.ts';

/** An action on its way. A version in its precondition is still the stored one: see `layout.ts`. */
export interface Deed {
  /** Whose worker decided on it. */
  readonly owner: string;
  readonly action: Action;
}

/** An answer that a worker has not yet thought about. */
export interface Answer {
  readonly last: Outcome;
}
