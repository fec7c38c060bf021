/** A fork, or its agent, that is not there: nothing of it is judged. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  readonly give: string;
  /** `unsupported`: it is there, and speaks of other things than this check. */
  readonly outcome: 'not-run' | 'unsupported';

  /** @param give what the user does about it */
  constructor(reason: string, give: string, outcome: 'not-run' | 'unsupported' = 'not-run') {
    super(reason);
    this.give = give;
    this.outcome = outcome;
  }
}
