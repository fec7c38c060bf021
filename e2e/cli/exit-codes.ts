/** Exit codes of every verb; documented in docs/cli.md and in each --help. */
export const exitCodes = {
  /** Everything that was asked ran, and every cell is as declared. */
  asDeclared: 0,
  /** A cell differs from its declaration, a claim is vacuous, or a check found something. */
  differs: 1,
  /** Unknown name, bad value, unreadable or malformed input: nothing ran. */
  usage: 2,
  /** The time limit came first: what ran was reported, the rest counts as skipped. */
  incomplete: 3,
  /** A defect of huskproof itself. */
  internal: 70,
  /** Ctrl-C or SIGTERM: what ran so far was reported. */
  interrupted: 130,
  /** The reader of the output went away (`| head`). */
  closedPipe: 141,
} as const;

export const exitCodesHelp = `
Exit codes: 0 as declared, 1 differs, 2 bad input (nothing ran), 3 time limit reached, 70 internal error,
130 interrupted (what ran is reported), 141 output closed`;

export function exitWith(code: number): void {
  process.exitCode = code;
}
