/**
 * A mutant: the reference with one line changed, as a reviewer would plant it. The runner patches the
 * source while it is loaded; nothing in `reference/` knows of it.
 */
import type { ClaimId } from '../claims/claim.ts';

export interface Mutant {
  /** kebab-case, unique: `low-32-bits-decode`. */
  readonly id: string;
  /** What the mistake is, in a sentence. */
  readonly mistake: string;
  /** File under `reference/`, from the repository root. */
  readonly file: string;
  /** Text that occurs exactly once in the file, within one line. */
  readonly find: string;
  readonly replace: string;
  /** The claim that must falsify it. */
  readonly killedBy: ClaimId;
  /** Where it shows, if not at tier decision: attacks of that tier name it (`falsifiedBy`). */
  readonly tier?: 'kernel' | 'vm';
}
