/** How large the world is that the model checker exhausts, and how much may go wrong in it. */
import type { HuskBehaviour } from '../../models/husk-host.ts';

export interface Scope {
  readonly name: string;
  /** Claims that exist from the beginning, each under a name of its own; see `sameName`. */
  readonly claims: number;
  /** Warm husks, one for each entry. */
  readonly husks: readonly HuskBehaviour[];
  readonly controllers: number;
  /** Husks and deliveries that are tried for one claim. */
  readonly maxAttempts: number;
  /** kill -9 of a controller that starts again at once. */
  readonly crashes: number;
  /**
   * How often a controller's cache of one kind of objects falls behind; how long it stays behind, and how many
   * thoughts are thought from it until then, is not bounded.
   */
  readonly lags: number;
  /** Writes and calls that are carried out without an answer, or never arrive. */
  readonly losses: number;
  /** Claims that their authors delete. */
  readonly deletions: number;
  /** Writes by others to a claim that change nothing but its version. */
  readonly annotations: number;
  /** Husks that die while they are waited for, used or dialled. */
  readonly deaths: number;
  /** Pods that a tenant deletes and makes again under their names. */
  readonly replacements: number;
  /** Whether the time in which a claim must have found a husk may pass, at any moment. */
  readonly timePasses: boolean;
  /** Only the first claim exists at first; each next one is created under the same name when that is free. */
  readonly sameName: boolean;
}

const nothingElse = {
  claims: 2,
  controllers: 2,
  maxAttempts: 3,
  lags: 0,
  losses: 0,
  deletions: 0,
  annotations: 0,
  deaths: 0,
  replacements: 0,
  timePasses: false,
  sameName: false,
} as const;

export const scopes: readonly Scope[] = [
  { ...nothingElse, name: 'crashes', husks: ['honest', 'honest'], crashes: 2 },
];
