/** What an oracle says when a claim does not hold for a case. */

/** What is wrong with one judged case: both verdicts, each with the rule that made it. */
export interface Violation {
  /** What the subject did, in the field's words. */
  readonly observed: string;
  readonly observedRule?: string;
  /** What the claim requires here. */
  readonly required: string;
  /** RFC, registry entry or model rule that the oracle used. */
  readonly requiredRule: string;
  /** The trace that led here, one line a step, for state machines. */
  readonly steps?: readonly string[];
}
