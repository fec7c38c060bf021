/**
 * Removes what stood around taps that are down: devices in one stroke, then their flows, then rules and sets.
 * Invariant: rules go only after the device is gone, and last: whoever is killed before leaves in them what the
 * next one has to look for. What failed is reported, never swallowed, and waits to be tried again.
 */
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { flowMark } from '../decisions/ruleset/flow-mark.ts';
import { closeSandbox } from '../decisions/ruleset/ruleset.ts';
import { cutFlows, cutFlowsInBackground } from './flows.ts';
import { deleteGroup, deleteGroupInBackground, firstWithdrawnGroup } from './link.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSession } from './netlink.ts';
import { type NftSession, RefusedCommand } from './nf-tables/nft-session.ts';

export interface Withdrawn {
  readonly network: SandboxNetwork;
  readonly policy: SandboxPolicy;
}

interface Batch {
  /** Of interfaces: what was withdrawn into it is deleted at once. */
  readonly group: number;
  readonly members: Map<string, Withdrawn>;
}

/** Sandboxes of one batch: bounds how long the kernel holds its lock over all links, and one transaction. */
const batchSize = 32;
const groups = 0x10000;

export class Reaper {
  readonly #pod: PodNetwork;
  readonly #route: NetlinkSession;
  readonly #netfilter: NetlinkSession;
  readonly #nft: NftSession;
  readonly #batches: Batch[] = [];
  #nextGroup = 0;
  #behind: { readonly route: NetlinkSession; readonly netfilter: NetlinkSession } | null = null;
  #running: Promise<void> | null = null;
  readonly #failed = new Map<string, Error[]>();
  /** Since Linux 6.16 a chain at a device stays when the device goes; before it goes as well. */
  #chainStays = true;

  constructor(pod: PodNetwork, route: NetlinkSession, netfilter: NetlinkSession, nft: NftSession) {
    this.#pod = pod;
    this.#route = route;
    this.#netfilter = netfilter;
    this.#nft = nft;
  }

  /** The group into which the next tap is withdrawn. */
  get group(): number {
    return this.#open().group;
  }

  add(withdrawn: Withdrawn): void {
    this.#open().members.set(withdrawn.network.tap, withdrawn);
  }

  #open(): Batch {
    const last = this.#batches.at(-1);
    // The first batch is the one that is removed while this is asked, if any is.
    const isClosed = this.#running !== null && this.#batches.length === 1;
    if (last !== undefined && last.members.size < batchSize && !isClosed) return last;
    const batch = { group: firstWithdrawnGroup + (this.#nextGroup++ % groups), members: new Map() };
    this.#batches.push(batch);
    return batch;
  }

  isWaiting(tap: string): boolean {
    return this.#batches.some(({ members }) => members.has(tap));
  }

  /** All that wait, now. Throws AggregateError of what failed; what could not be removed waits on. */
  reap(): void {
    const errors: Error[] = [];
    const left: Batch[] = [];
    for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
      const { group, members } = batch;
      if (members.size === 0) continue;
      const all = [...members.values()];
      const isDone =
        attempt(errors, () => deleteGroup(this.#route, group)) &&
        all.every((one) => attempt(errors, () => cutFlows(this.#netfilter, this.#markOf(one)))) &&
        attempt(errors, () => this.removeRules(all));
      if (!isDone) left.push(batch);
    }
    this.#batches.push(...left);
    if (errors.length > 0) throw new AggregateError(errors, 'what was cut off could not be removed whole');
  }

  /** Settles when nothing of the sandbox is left, or with what failed; then it waits on for `reap`. */
  async reapInBackground(tap: string): Promise<void> {
    while (this.isWaiting(tap) && !this.#failed.has(tap)) {
      this.#running ??= this.#batch().finally(() => {
        this.#running = null;
      });
      await this.#running;
    }
    const errors = this.#failed.get(tap);
    this.#failed.delete(tap);
    if (errors !== undefined) throw new AggregateError(errors, `${tap} could not be removed whole`);
  }

  /** Sessions of its own: one that a thread beside sends on is nobody else's. */
  #sessions() {
    this.#behind ??= {
      route: new NetlinkSession(NETLINK_ROUTE),
      netfilter: new NetlinkSession(NETLINK_NETFILTER),
    };
    return this.#behind;
  }

  async #batch(): Promise<void> {
    const { route, netfilter } = this.#sessions();
    const [batch] = this.#batches;
    if (batch === undefined) return;
    const { group, members } = batch;
    const errors: Error[] = [];
    await attemptAll(errors, () => deleteGroupInBackground(route, group));
    // `reap` did it meanwhile.
    if (!this.#batches.includes(batch)) return;
    const all = [...members.values()];
    for (const one of errors.length === 0 ? all : []) {
      await attemptAll(errors, () => cutFlowsInBackground(netfilter, this.#markOf(one)));
    }
    if (!this.#batches.includes(batch)) return;
    const isDone = errors.length === 0 && attempt(errors, () => this.removeRules(all));
    if (!isDone) for (const { network } of all) this.#failed.set(network.tap, errors);
    this.#batches.splice(this.#batches.indexOf(batch), 1);
    if (!isDone) this.#batches.push(batch);
  }

  /** Rules and sets of sandboxes whose taps are gone, in one transaction. */
  removeRules(all: readonly Withdrawn[]): void {
    const commands = () =>
      all.flatMap(({ network, policy }) => [
        ...closeSandbox(this.#pod, network, policy, { tapIsThere: this.#chainStays }).nftables,
      ]);
    try {
      this.#nft.run({ nftables: commands() });
    } catch (error) {
      const isAboutChain = error instanceof RefusedCommand && error.errno === 'ENOENT' && this.#chainStays;
      if (!isAboutChain) throw error;
      this.#chainStays = false;
      this.#nft.run({ nftables: commands() });
    }
  }

  #markOf({ network, policy }: Withdrawn): number {
    return flowMark(this.#pod, network, policy);
  }

  close(): void {
    this.#behind?.route.close();
    this.#behind?.netfilter.close();
    this.#behind = null;
  }
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

function attempt(errors: Error[], act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    errors.push(asError(error));
    return false;
  }
}

async function attemptAll(errors: Error[], act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    errors.push(asError(error));
  }
}
