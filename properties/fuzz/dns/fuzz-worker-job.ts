/** What the fuzzer's thread is told, what it says, and the memory that both sides see. */
import type { Patch } from '../../matrix/patch-source.ts';
import type { Finding, Invariant } from './finding.ts';
import type { FuzzBounds, FuzzOutcome } from './fuzz.ts';
import type { FuzzTotals } from './judge-case.ts';

/** The first word counts messages, the second is the length of the message that is judged now. */
export const sharedHeaderOctets = 8;
export const sharedOctets = sharedHeaderOctets + 65_536;

export interface FuzzJob extends FuzzBounds {
  readonly shared: SharedArrayBuffer;
  /** Plant this first. */
  readonly mutant?: Patch;
  /** Look for a case that breaks this invariant, and for nothing else. */
  readonly wanted?: Invariant;
}

export type FuzzAnswer =
  | { readonly kind: 'progress'; readonly totals: FuzzTotals }
  | { readonly kind: 'done'; readonly outcome: FuzzOutcome }
  | { readonly kind: 'sought'; readonly finding: Finding | null };
