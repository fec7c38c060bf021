/**
 * What is asked of a husk by who controls it, on whatever transport: one object asked, one answered.
 * Invariant: an answer names no secret; a husk is prepared once and activated once, whoever asks and how often.
 */
import type { SandboxPolicy } from './datapath.ts';
import type { Secret } from './fork-engine-port.ts';

export const huskControlVersion = 1;
/** Of a line, where the transport has lines: as many secrets as may be, each octet escaped. */
export const maxHuskRequestOctets = 4 << 20;

export type HuskPhase = 'new' | 'preparing' | 'dormant' | 'activating' | 'active' | 'ended';

export type HuskRequest = {
  readonly v: typeof huskControlVersion;
} /** `snapshot`: the digest of its manifest, which forkd is not asked for. */ & (
  | { readonly ask: 'prepare'; readonly snapshot: string }
  | {
      readonly ask: 'activate';
      readonly policy: SandboxPolicy;
      readonly secrets: readonly Secret[];
      readonly hostname?: string;
    }
  | { readonly ask: 'change-policy'; readonly policy: SandboxPolicy }
  /** Answered when nothing of it is left. */
  | { readonly ask: 'terminate' }
  | { readonly ask: 'status' }
);

export interface HuskStatus {
  readonly phase: HuskPhase;
  /** Digest of what it was prepared from; null: it was not. */
  readonly snapshot: string | null;
  /** Of its fork; null: it was not activated. */
  readonly generation: number | null;
}

export interface HuskTimes {
  /** From the request to the gate's verdict, to the release, and to the last secret. */
  readonly admittedAfterMs: number;
  readonly releasedAfterMs: number;
  readonly deliveredAfterMs: number;
}

export type HuskAnswer = { readonly v: typeof huskControlVersion } & (
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly remedy: string;
      readonly phase: HuskPhase;
    }
  | ({ readonly ok: true } & HuskStatus & Partial<HuskTimes>)
);
