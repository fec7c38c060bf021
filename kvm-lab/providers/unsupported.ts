/** Why something cannot be had on this machine, and what to type to have it. */
export interface Unsupported {
  readonly reason: string;
  readonly remedy: string;
}
