/** What the checker must know of a value, read once from its content and looked up by its number. */
import type { Action } from '../../models/claim-world.ts';
import type { HuskBehaviour } from '../../models/husk-host.ts';
import type { Deed } from './deeds.ts';
import { absent, type Layout, unborn } from './layout.ts';
import type { Lexicon } from './lexicon.ts';
import { claimUid, podUid, processName, recordVersion, versionOf } from './names.ts';

/** A husk, and what only an observer of everything knows of its past. */
export interface HuskContent {
  readonly behaviour: HuskBehaviour;
  readonly alive: boolean;
  /** The claim that it was activated for. */
  readonly holds: string | null;
  /** Claims whose secrets reached it. */
  readonly seen: readonly string[];
  /** Claims whose status named it before anything was sent. */
  readonly intended: readonly string[];
  /** The claim that its record names or named. */
  readonly held: string | null;
}

/** How often a claim's secrets were sent. */
export interface PastContent {
  readonly sent: number;
}

export interface ClaimContent {
  readonly kind: 'SandboxClaim';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
  };
  readonly spec: unknown;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface ClaimFacts {
  readonly phase: string;
  readonly deleting: boolean;
  /** Index of the pod that a Ready claim is served by; -1: none. */
  readonly servedBy: number;
  /** Index of the pod that its status names as its husk; -1: none. */
  readonly intends: number;
  readonly reason: boolean;
  /** Ready, Failed, ending or deleted: no husk is looked for any more. */
  readonly settled: boolean;
  /** Of the intent that its status notes: its number, and the controller that wrote it; -1: none that lives. */
  readonly attempt: number;
  readonly by: number;
  /** Empty: none. */
  readonly tokenUid: string;
}

export interface PendingFacts {
  /** `patch`, `dial`, `deliver` …; empty: nothing. */
  readonly kind: string;
  /** Empty: a call. */
  readonly purpose: string;
}

export interface DeedFacts {
  readonly claim: number;
  readonly action: Action;
  /** Stored position of the object whose version is the precondition; 0: none. */
  readonly guard: number;
  /** Whether it does anything to the world when nobody waits for its answer any more. */
  readonly potent: boolean;
}

export interface HuskFacts {
  readonly alive: boolean;
  /** Index of the claim; -1: none. */
  readonly holds: number;
  readonly held: number;
  readonly seen: readonly number[];
  readonly intended: readonly number[];
}

export class Facts {
  readonly #lexicon: Lexicon;
  readonly #layout: Layout;
  readonly #claims: ClaimFacts[] = [];
  readonly #deeds: (DeedFacts | null)[] = [];
  readonly #husks: HuskFacts[] = [];
  readonly #uids: readonly string[];
  readonly #podUids: readonly string[];
  readonly #processes: readonly string[];
  readonly #pending: PendingFacts[] = [];
  readonly #holders: number[] = [];

  constructor(lexicon: Lexicon, layout: Layout) {
    this.#lexicon = lexicon;
    this.#layout = layout;
    this.#uids = Array.from({ length: layout.claims }, (_, claim) => claimUid(claim));
    this.#podUids = Array.from({ length: layout.pods }, (_, pod) => podUid(pod));
    this.#processes = Array.from({ length: layout.controllers }, (_, index) => processName(index));
  }

  /** null: the claim is not there. */
  claimOrNull(number: number): ClaimFacts | null {
    return number === absent || number === unborn ? null : this.claim(number);
  }

  /** What a worker waits for. */
  pending(number: number): PendingFacts {
    const known = this.#pending[number];
    if (known !== undefined) return known;
    const value = this.#lexicon.valueOf(number);
    const action = isDeed(value) ? value.action : null;
    const purpose = action !== null && 'purpose' in action ? action.purpose : '';
    const found = { kind: action?.kind ?? '', purpose };
    this.#pending[number] = found;
    return found;
  }

  claim(number: number): ClaimFacts {
    const known = this.#claims[number];
    if (known !== undefined) return known;
    const { metadata, status = {} } = this.#lexicon.valueOf(number) as ClaimContent;
    const { phase, reason, sandboxID, husk, token } = status as {
      readonly phase?: string;
      readonly reason?: string;
      readonly sandboxID?: string;
      readonly husk?: {
        readonly pod?: { readonly uid?: string };
        readonly attempt?: number;
        readonly by?: string;
      };
      readonly token?: { readonly uid?: string };
    };
    const deleting = metadata.deletionTimestamp !== undefined;
    const found: ClaimFacts = {
      phase: phase ?? 'Pending',
      deleting,
      servedBy: phase === 'Ready' ? this.#podUids.indexOf(sandboxID ?? '') : -1,
      intends: this.#podUids.indexOf(husk?.pod?.uid ?? ''),
      reason: typeof reason === 'string',
      settled: deleting || (phase !== undefined && phase !== 'Pending' && phase !== 'Restoring'),
      attempt: husk?.attempt ?? 0,
      by: this.#processes.indexOf(husk?.by ?? ''),
      tokenUid: token?.uid ?? '',
    };
    this.#claims[number] = found;
    return found;
  }

  husk(number: number): HuskFacts {
    const known = this.#husks[number];
    if (known !== undefined) return known;
    const { alive, holds, held, seen, intended } = this.#lexicon.valueOf(number) as HuskContent;
    const indexOf = (uid: string | null) => this.#uids.indexOf(uid ?? '');
    const found: HuskFacts = {
      alive,
      holds: indexOf(holds),
      held: indexOf(held),
      seen: seen.map(indexOf),
      intended: intended.map(indexOf),
    };
    this.#husks[number] = found;
    return found;
  }

  /** Index of the claim that a record names; -1: none. */
  holder(number: number): number {
    const known = this.#holders[number];
    if (known !== undefined) return known;
    const { holder } = this.#lexicon.valueOf(number) as { readonly holder: string | null };
    const found = this.#uids.indexOf(holder ?? '');
    this.#holders[number] = found;
    return found;
  }

  /** null when the number is no action's: nothing is on its way. */
  deed(number: number): DeedFacts | null {
    const known = this.#deeds[number];
    if (known !== undefined) return known;
    const value = this.#lexicon.valueOf(number);
    const found = isDeed(value) ? this.#deedOf(value) : null;
    this.#deeds[number] = found;
    return found;
  }

  #deedOf({ owner, action }: Deed): DeedFacts {
    const claim = this.#uids.indexOf(owner);
    const version = 'precondition' in action ? action.precondition.resourceVersion : undefined;
    const writes = action.kind === 'patch' || action.kind === 'delete' || action.kind === 'deliver';
    return { claim, action, guard: version === undefined ? 0 : this.#guardOf(version), potent: writes };
  }

  #guardOf(version: string): number {
    const layout = this.#layout;
    const claim = this.#uids.findIndex((uid) => versionOf(uid) === version);
    if (claim >= 0) return layout.claim(claim);
    const pod = this.#podUids.findIndex((uid) => versionOf(uid) === version);
    if (pod >= 0) return layout.pod(pod);
    const record = this.#podUids.findIndex((_, index) => recordVersion(index) === version);
    if (record < 0) throw new Error(`claim-step names a version that it never read: ${version}`);
    return layout.record(record);
  }
}

function isDeed(value: unknown): value is Deed {
  return typeof value === 'object' && value !== null && 'action' in value;
}
