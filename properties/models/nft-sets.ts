/**
 * The kernel's side of pins: one set a tap and family, with timeouts, a size, atomic batches, and the two
 * ways in which a re-add of a live element behaves (facts.md, "nftables cost": only an expiration that is
 * sent refreshes it on 6.18).
 */
import type { OutputOf } from '../protocol/decision.ts';
import type { pinLedger } from '../protocol/pin-ledger.ts';

export type KernelAction = OutputOf<typeof pinLedger>['actions'][number];

export interface KernelElement {
  readonly tap: string;
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly expiresMs: number;
}

export interface KernelOptions {
  /** `size` of each set. */
  readonly size: number;
  readonly reAdd: 'keeps expiry' | 'refreshes';
}

/** findings.md F1: "a TTL of 2³¹−1 makes nft refuse the element". */
const longestTimeoutMs = 2 ** 32 - 1;

type Family = 'ipv4' | 'ipv6';
const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

export class NftSets {
  readonly #options: KernelOptions;
  /** By `tap family`; an absent key is an absent set. */
  readonly #sets = new Map<string, Map<string, KernelElement>>();
  /** Errors that the next batches meet, whatever they hold. */
  readonly failures: string[] = [];
  /** How many batches met one. */
  failed = 0;

  constructor(options: KernelOptions) {
    this.#options = options;
  }

  /** Applies one action as one atomic batch; null, or errno's name when nothing was changed. */
  apply(action: KernelAction, nowMs: number): string | null {
    this.#expire(nowMs);
    const injected = this.failures.shift();
    if (injected !== undefined) {
      this.failed += 1;
      return injected;
    }
    if (action.kind === 'create-sets') {
      for (const family of ['ipv4', 'ipv6']) {
        const name = `${action.tap} ${family}`;
        if (!this.#sets.has(name)) this.#sets.set(name, new Map());
      }
      return null;
    }
    if (action.kind === 'delete-set') {
      return this.#sets.delete(`${action.tap} ${action.family}`) ? null : 'ENOENT';
    }
    return action.kind === 'add' ? this.#add(action, nowMs) : this.#delete(action);
  }

  #add(action: Extract<KernelAction, { kind: 'add' }>, nowMs: number): string | null {
    const changes: [Map<string, KernelElement>, string, KernelElement][] = [];
    const grows = new Map<Map<string, KernelElement>, Set<string>>();
    for (const { address, protocol, port, timeoutMs } of action.elements) {
      const set = this.#sets.get(`${action.tap} ${familyOf(address)}`);
      if (set === undefined) return 'ENOENT';
      if (timeoutMs > longestTimeoutMs) return 'ERANGE';
      const key = `${address} ${protocol} ${port}`;
      const known = set.get(key);
      if (known === undefined) grows.set(set, (grows.get(set) ?? new Set()).add(key));
      const keeps =
        known !== undefined && this.#options.reAdd === 'keeps expiry' && !action.refreshExpiration;
      const expiresMs = keeps ? known.expiresMs : nowMs + timeoutMs;
      changes.push([set, key, { tap: action.tap, address, protocol, port, expiresMs }]);
    }
    for (const [set, keys] of grows) if (set.size + keys.size > this.#options.size) return 'ENFILE';
    for (const [set, key, element] of changes) set.set(key, element);
    return null;
  }

  #delete(action: Extract<KernelAction, { kind: 'delete' }>): string | null {
    const found = action.elements.map(({ address, protocol, port }) => {
      const set = this.#sets.get(`${action.tap} ${familyOf(address)}`);
      return { set, key: `${address} ${protocol} ${port}` };
    });
    if (found.some(({ set, key }) => set?.has(key) !== true)) return 'ENOENT';
    for (const { set, key } of found) set?.delete(key);
    return null;
  }

  #expire(nowMs: number): void {
    for (const set of this.#sets.values()) {
      for (const [key, { expiresMs }] of set) if (expiresMs <= nowMs) set.delete(key);
    }
  }

  /** Live elements of a tap, or of all. */
  elements(nowMs: number, tap?: string): KernelElement[] {
    this.#expire(nowMs);
    return [...this.#sets.values()].flatMap((set) =>
      [...set.values()].filter((element) => tap === undefined || element.tap === tap),
    );
  }

  /** Largest number of live elements in one set. */
  largest(nowMs: number): number {
    this.#expire(nowMs);
    return Math.max(0, ...[...this.#sets.values()].map(({ size }) => size));
  }
}
