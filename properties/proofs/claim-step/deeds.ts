/** What a worker waits for, as the lexicon keeps it. */
import type { Action } from '../../models/claim-world.ts';

/** An action on its way. A version in its precondition is still the stored one: see `layout.ts`. */
export interface Deed {
  /** UID of the claim whose worker decided on it. */
  readonly owner: string;
  readonly action: Action;
}
