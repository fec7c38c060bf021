/** A file that is generated, never typed. */

export interface Product {
  /** From the repository root. */
  readonly path: string;
  readonly text: string;
}
