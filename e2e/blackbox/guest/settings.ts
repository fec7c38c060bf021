/** What a run of `pnpm check guest` was told, parsed. */
import type { ClaimId } from './claim-ids.ts';

export interface Settings {
  /** Endpoints of the forks' agents, in the order of the forks; with `fork`, one with `{n}`. */
  readonly agents: readonly string[];
  /** Of exec and files: as many, in the same order; or none. */
  readonly services: readonly string[];
  /** An agent that cannot credit: no CAP_SYS_ADMIN, or a random device that is a file. */
  readonly unprivileged: string | null;
  /** Shell commands; `{n}` is the fork's number. */
  readonly fork: string | null;
  readonly end: string | null;
  /** Each prints random octets of the fork, and nothing else. */
  readonly read: readonly string[];
  /** The same of a process that was alive at the snapshot. */
  readonly readProcess: readonly string[];
  /** Run in the guest by exec, after the release. */
  readonly exec: readonly string[];
  /** Consoles and logs of the forks. */
  readonly logs: readonly string[];
  /** Forks of one snapshot that are compared. */
  readonly siblings: number;
  /** All of them together, at most. */
  readonly forks: number;
  /** The least that a read must give. */
  readonly octets: number;
  readonly perSecond: number;
  readonly durationMs: number;
  /** For an answer; of the gate too. */
  readonly timeoutMs: number;
  /** For a fork to be there, and for a command to end. */
  readonly waitMs: number;
  readonly seed: number;
  /** Generated lines. */
  readonly runs: number;
  readonly claims: readonly ClaimId[];
  /** Ids of the parts that are asked; null: all of the claims. */
  readonly parts: readonly string[] | null;
}
