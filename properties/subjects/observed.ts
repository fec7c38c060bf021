/**
 * One row of the observed-behaviour table: what findings.md says `published` does, and the case that shows
 * it.
 */
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';

export interface Observed<D> {
  /** The sentence of findings.md, quoted. */
  readonly says: string;
  readonly config: ConfigOf<D>;
  readonly input: InputOf<D>;
  /** The fields of the published subject's output that show it. */
  readonly output: Partial<OutputOf<D>>;
}
