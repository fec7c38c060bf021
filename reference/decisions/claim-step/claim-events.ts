/**
 * What claim-step is told and what it answers: objects as they were read, the outcome of the action before,
 * and the one next write or call with its precondition and deadline.
 */
import type { HuskRecord, ObjectName } from '#reference/contract/husk.ts';

export interface ClaimConfig {
  /** Of this process, new at each start: two processes never share it. */
  readonly identity: string;
  /** Where records of the ledger stand. */
  readonly controllerNamespace: string;
  /** Of a write to the API server. */
  readonly writeDeadlineMs: number;
  /** Of connect, handshake and reply together. */
  readonly callDeadlineMs: number;
  /** From the creation of a claim until it must have found a husk. */
  readonly claimDeadlineMs: number;
  /** Husks and deliveries tried for one holder. */
  readonly maxAttempts: number;
  readonly retryAfterMs: number;
  /** Secrets of the system itself: never delivered. A leading or trailing `*` stands for anything. */
  readonly systemSecrets: readonly string[];
}

/** Whose life it is: a claim or a fork, by UID. */
export interface Owner extends ObjectName {
  readonly kind: 'SandboxClaim' | 'SandboxFork';
}

export interface ClaimEvent {
  readonly nowMs: number;
  /** False once leadership is lost: what was in flight is given up. */
  readonly leading: boolean;
  readonly owner: Owner;
  /** The claim or fork as it was read; null: not found. */
  readonly object: unknown;
  /** Everything in this event was read from the API server itself, after the action before. */
  readonly live: boolean;
  /** Names of Secrets that the claim's author may read, from a stamp that was verified; null: no stamp. */
  readonly authorized: readonly string[] | null;
  /** Of a fork: the claim that it forks, null: not found. */
  readonly source: unknown;
  readonly pool: ObjectName | null;
  readonly ledger: readonly HuskRecord[];
  readonly pods: readonly unknown[];
  readonly last: Outcome | null;
}

export type WriteResult = 'done' | 'conflict' | 'not-found' | 'exists' | 'invalid' | 'unknown';

/** What became of the action before. A call that came to no end in time is `unknown`. */
export type Outcome =
  | {
      readonly of: 'write';
      readonly purpose: Purpose;
      readonly result: WriteResult;
      /** The UID that the action named as its precondition. */
      readonly uid: string | null;
      /** Of a create that was done. */
      readonly created: { readonly name: string; readonly uid: string } | null;
    }
  | {
      readonly of: 'dial';
      readonly podUid: string;
      readonly result: DialResult;
      readonly holds: string | null;
    }
  | {
      readonly of: 'deliver' | 'dehydrate' | 'snapshot';
      readonly podUid: string;
      readonly result: 'done' | 'refused' | 'unknown';
      /** Of a snapshot that was taken. */
      readonly digest: string | null;
    };

/** `proved`: the peer showed that it is that pod; nothing secret was sent before or otherwise. */
export type DialResult = 'proved' | 'other-peer' | 'refused' | 'unknown';

export type Purpose =
  | 'finalize'
  | 'mark'
  | 'label'
  | 'token'
  | 'intend'
  | 'take-over'
  | 'spend'
  | 'publish'
  | 'fail'
  | 'end'
  | 'delete-pod'
  | 'forget'
  | 'revoke'
  | 'unfinalize'
  | 'bind-source'
  | 'snapshot-taken';

export interface Precondition {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

interface Bounded {
  readonly deadlineMs: number;
}

export interface Target {
  readonly kind: 'SandboxClaim' | 'SandboxFork' | 'Pod' | 'HuskRecord' | 'Secret';
  readonly namespace: string;
  readonly name: string;
}

export interface Reached {
  readonly pod: ObjectName;
  readonly address: string;
  /** What the peer must prove to be, before the first secret octet; null: nothing. */
  readonly identity: { readonly namespace: string; readonly podUid: string } | null;
  readonly holder: string;
}

export type ClaimAction =
  | (Bounded & {
      readonly kind: 'patch';
      readonly purpose: Purpose;
      readonly target: Target;
      readonly subresource: 'status' | null;
      readonly precondition: Precondition;
      /** RFC 7396. */
      readonly patch: Readonly<Record<string, unknown>>;
    })
  | (Bounded & {
      readonly kind: 'create';
      readonly purpose: Purpose;
      readonly object: Readonly<Record<string, unknown>>;
    })
  | (Bounded & {
      readonly kind: 'delete';
      readonly purpose: Purpose;
      readonly target: Target;
      readonly precondition: Precondition;
    })
  | (Bounded & Reached & { readonly kind: 'dial' | 'dehydrate' | 'snapshot' })
  | (Bounded &
      Reached & {
        readonly kind: 'deliver';
        readonly secrets: readonly string[];
        readonly token: { readonly name: string; readonly uid: string };
        /** Digest of a fork's snapshot; null: the pool's own template. */
        readonly snapshot: string | null;
      })
  /** Read everything again, from the API server itself. */
  | (Bounded & { readonly kind: 'read' })
  | { readonly kind: 'wait'; readonly afterMs: number };

/** Lives in the process and is lost with it; JSON. */
export interface ClaimMemory {
  /** The delivery that this process intended last. */
  readonly attempt: Attempt | null;
  /** A token Secret that this process made and no status names yet. */
  readonly token: { readonly holder: string; readonly name: string; readonly uid: string } | null;
  /** The holder that the last action was for. */
  readonly acting: string | null;
  /** UIDs of pods whose deletion was answered. */
  readonly deleted: readonly string[];
  readonly dehydrated: boolean;
  /** A snapshot that this process has taken and no status names yet. */
  readonly snapshot: string | null;
  readonly snapshotAttempt: number;
}

export interface Attempt {
  readonly holder: string;
  readonly podUid: string;
  readonly number: number;
  /** This process intended the pod for the first time: until it delivers, nobody has. */
  readonly fresh: boolean;
  readonly progress: 'intended' | 'unreachable' | 'proved' | 'unclear' | 'delivered';
}

export interface ClaimStep {
  readonly state: ClaimMemory;
  /** None or one. */
  readonly actions: readonly ClaimAction[];
  readonly rule: string;
}
