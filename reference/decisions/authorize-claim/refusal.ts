/** Why a request is denied, for the log and for whoever sent it. */

/** HTTP status of the response: 400 unreadable, 403 forbidden, 422 invalid, 500 and 504 unanswered reviews. */
export type RefusalCode = 400 | 403 | 422 | 500 | 504;

/** A class, so that no object of a request can pass for one. */
export class Refusal {
  readonly code: RefusalCode;
  /** The rule that made it; never holds what the request said. */
  readonly rule: string;
  /** Names the field and the remedy. Of the request it repeats names that have passed DNS-1123 alone. */
  readonly message: string;

  constructor(code: RefusalCode, rule: string, message: string) {
    this.code = code;
    this.rule = rule;
    this.message = message;
  }
}
