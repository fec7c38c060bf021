/**
 * The datapath of one pod: taps, addresses, rules, pins, flows.
 * Invariant: a tap comes up only after its rules stand, and its rules go only after it is gone; a change of
 * policy is one transaction. After a restart what an earlier process left is replaced by what is asked for.
 */
import {
  inetTable,
  netdevTable,
  type PinElement,
  type PodNetwork,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { flowMark } from '../decisions/ruleset/flow-mark.ts';
import type { Command } from '../decisions/ruleset/nft-json.ts';
import { changePolicy, closeSandbox, openPod, openSandbox } from '../decisions/ruleset/ruleset.ts';
import { cutFlows } from './flows.ts';
import {
  addAddress,
  bindNeighbor,
  createTap,
  deleteLink,
  forwardFrom,
  linkNamed,
  listLinks,
  prepareTap,
  setUp,
} from './link.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSession } from './netlink.ts';
import { NftSession } from './nf-tables/nft-session.ts';
import { PinWriter } from './pins.ts';

interface Standing {
  readonly network: SandboxNetwork;
  readonly index: number;
  policy: SandboxPolicy;
}

export interface OpenedTap {
  /** The VMM's end of the tap. The tap goes when the last copy is closed. */
  readonly fd: number;
  readonly index: number;
}

export class Datapath {
  readonly #pod: PodNetwork;
  readonly #route: NetlinkSession;
  readonly #netfilter: NetlinkSession;
  readonly #nft: NftSession;
  readonly #standing = new Map<string, Standing>();

  /**
   * In the network namespace of the calling thread. Replaces what an earlier process left: its taps are
   * deleted first, then its tables, in the transaction that makes ours.
   * @throws CodedError `no-libnftables`, `no-interface`, `ruleset-refused`
   */
  constructor(pod: PodNetwork) {
    this.#pod = pod;
    this.#route = new NetlinkSession(NETLINK_ROUTE);
    this.#netfilter = new NetlinkSession(NETLINK_NETFILTER);
    this.#nft = new NftSession(this.#netfilter);
    for (const link of this.#leftTaps()) deleteLink(this.#route, link.index);
    const fresh: Command[] = [
      { add: { table: { family: 'inet', name: inetTable } } },
      { delete: { table: { family: 'inet', name: inetTable } } },
      { add: { table: { family: 'netdev', name: netdevTable } } },
      { delete: { table: { family: 'netdev', name: netdevTable } } },
    ];
    this.#nft.run({ nftables: [...fresh, ...openPod(pod).nftables] });
    forwardFrom(this.#route, linkNamed(this.#route, pod.uplink).index);
  }

  /** Interfaces that chains of ours name. */
  #leftTaps() {
    const named = new Set<string>();
    for (const name of this.#nft.chains('inet', inetTable)) {
      const [, tap] = /^([^/]+)\/policy$/.exec(name) ?? [];
      if (tap !== undefined) named.add(tap);
    }
    return listLinks(this.#route).filter(({ name }) => named.has(name));
  }

  /** The tap, with everything around it. On any failure nothing of it is left. */
  open(network: SandboxNetwork, policy: SandboxPolicy): OpenedTap {
    const fd = createTap(network.tap);
    const { index } = linkNamed(this.#route, network.tap);
    let ruled = false;
    try {
      prepareTap(this.#route, index, network.tapMac);
      const { gateway, resolver } = network.ipv4;
      addAddress(this.#route, index, gateway, 30);
      if (resolver !== gateway) addAddress(this.#route, index, resolver, 32);
      this.#nft.run(openSandbox(this.#pod, network, policy));
      ruled = true;
      setUp(this.#route, index, true);
      bindNeighbor(this.#route, index, network.ipv4.guest, network.guestMac);
    } catch (error) {
      deleteLink(this.#route, index);
      if (ruled) this.#nft.run(closeSandbox(this.#pod, network, policy, { tapIsThere: false }));
      throw error;
    }
    this.#standing.set(network.tap, { network, index, policy });
    return { fd, index };
  }

  /** From now on the new policy: flows that only the old one admitted pass nowhere, and are forgotten. */
  change(tap: string, policy: SandboxPolicy): void {
    const standing = this.#known(tap);
    const { network, policy: before } = standing;
    this.#nft.run(changePolicy(this.#pod, network, before, policy));
    standing.policy = policy;
    const [old, now] = [flowMark(this.#pod, network, before), flowMark(this.#pod, network, policy)];
    if (old !== now) this.#cutUnadmitted(old);
  }

  /** Flows that `now` admits too get its mark with their next packet; those keep the old one and pass nowhere. */
  #cutUnadmitted(old: number): void {
    cutFlows(this.#netfilter, old);
  }

  /** The tap first, so that the guest is cut off; then its rules, pins and flows. */
  close(tap: string): void {
    const { network, index, policy } = this.#known(tap);
    setUp(this.#route, index, false);
    deleteLink(this.#route, index);
    this.#nft.run(closeSandbox(this.#pod, network, policy, { tapIsThere: false }));
    cutFlows(this.#netfilter, flowMark(this.#pod, network, policy));
    this.#standing.delete(tap);
  }

  /** Which of the pins stand in the kernel now, in order. */
  addPins(pins: readonly PinElement[]): boolean[] {
    return new PinWriter(this.#netfilter).add(pins);
  }

  /** Which of the pins stand no more, in order. */
  deletePins(pins: readonly PinElement[]): boolean[] {
    return new PinWriter(this.#netfilter).delete(pins);
  }

  /** Closes what stands, and the sessions. */
  shutDown(): void {
    for (const tap of [...this.#standing.keys()]) this.close(tap);
    this.#netfilter.close();
    this.#route.close();
  }

  #known(tap: string): Standing {
    const standing = this.#standing.get(tap);
    if (standing === undefined) throw new RangeError(`no sandbox stands at ${tap}`);
    return standing;
  }
}
