/**
 * The husks behind the pods: who answers at an address, what it proves to be, what it was activated for and
 * which secrets it has seen.
 */

/** `silent` never answers; `refusing` takes what it is sent and says no; `forgetful` does it, and its answer is lost. */
export const huskBehaviours = ['honest', 'silent', 'refusing', 'forgetful'] as const;
export type HuskBehaviour = (typeof huskBehaviours)[number];

export interface Husk {
  readonly podUid: string;
  readonly address: string;
  readonly behaviour: HuskBehaviour;
  /** Planted or taken over by a tenant. */
  readonly hostile: boolean;
  alive: boolean;
  /** The holder that it was activated for, once. */
  holds: string | null;
  /** Holders whose secrets or token reached it. */
  readonly seen: Set<string>;
  readonly tokens: Set<string>;
  /** Snapshots that it took, by fork. */
  readonly snapshots: Map<string, string>;
}

export interface Call {
  readonly address: string;
  readonly identity: { readonly namespace: string; readonly podUid: string } | null;
  readonly holder: string;
}

export class HuskHost {
  readonly husks = new Map<string, Husk>();
  #snapshots = 0;

  start(podUid: string, address: string, behaviour: HuskBehaviour, hostile: boolean): Husk {
    const husk: Husk = {
      podUid,
      address,
      behaviour,
      hostile,
      alive: true,
      holds: null,
      seen: new Set(),
      tokens: new Set(),
      snapshots: new Map(),
    };
    this.husks.set(podUid, husk);
    return husk;
  }

  stop(podUid: string): void {
    const husk = this.husks.get(podUid);
    if (husk !== undefined) husk.alive = false;
  }

  /** Whoever lives at the address, if it proves to be the pod that is meant; a husk cannot prove to be another. */
  #answering({ address, identity }: Call): Husk | 'nobody' | 'another' {
    const husk = [...this.husks.values()].find((one) => one.alive && one.address === address);
    if (husk === undefined) return 'nobody';
    return identity !== null && identity.podUid !== husk.podUid ? 'another' : husk;
  }

  dial(call: Call) {
    const husk = this.#answering(call);
    if (husk === 'nobody') return { result: 'refused' as const, holds: null };
    if (husk === 'another') return { result: 'other-peer' as const, holds: null };
    if (husk.behaviour === 'silent') return { result: 'unknown' as const, holds: null };
    return { result: 'proved' as const, holds: husk.holds };
  }

  /** The husk that saw the secrets, if one did, and what it answered. */
  deliver(call: Call, token: string): { husk: Husk | null; result: 'done' | 'refused' | 'unknown' } {
    const husk = this.#answering(call);
    if (typeof husk === 'string') return { husk: null, result: 'refused' };
    husk.seen.add(call.holder);
    husk.tokens.add(token);
    if (husk.behaviour === 'silent') return { husk, result: 'unknown' };
    if (husk.behaviour === 'refusing') return { husk, result: 'refused' };
    if (husk.holds !== null && husk.holds !== call.holder) return { husk, result: 'refused' };
    const again = husk.holds === call.holder;
    husk.holds = call.holder;
    return { husk, result: husk.behaviour === 'forgetful' && !again ? 'unknown' : 'done' };
  }

  /** The same fork gets the same snapshot, however often it asks. */
  snapshot(call: Call, fork: string): { result: 'done' | 'refused' | 'unknown'; digest: string | null } {
    const husk = this.#answering(call);
    if (typeof husk === 'string' || husk.behaviour === 'refusing') return { result: 'refused', digest: null };
    if (husk.behaviour === 'silent') return { result: 'unknown', digest: null };
    const before = husk.snapshots.get(fork);
    const digest = before ?? `sha256:snapshot-${++this.#snapshots}`;
    husk.snapshots.set(fork, digest);
    const lost = husk.behaviour === 'forgetful' && before === undefined;
    return lost ? { result: 'unknown', digest: null } : { result: 'done', digest };
  }
}
