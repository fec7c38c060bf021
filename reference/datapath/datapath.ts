/**
 * The datapath of one pod: taps, addresses, rules, pins, flows.
 * Invariant: a tap comes up only after its rules stand; at its end it is named by no rule first, which leaves
 * it nothing, and its chains go only after it is gone. A change of policy is one transaction. After a restart
 * what an earlier process left is replaced by what is asked for.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { close } from '#reference/base/syscalls.ts';
import type { PinElement, PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import type { DatapathPort, OpenedTap } from '#reference/contract/datapath-port.ts';
import { checkNetwork, checkPod, checkPolicy, subnetLengths } from '../decisions/ruleset/check-network.ts';
import { flowMark } from '../decisions/ruleset/flow-mark.ts';
import { changePolicy, closePod, openPod, openSandbox } from '../decisions/ruleset/ruleset.ts';
import { familiesOf } from '../decisions/ruleset/sandbox-words.ts';
import { addAddress, bindNeighbor, forwardsIpv6, meaningOf } from './address.ts';
import { replaceFlows } from './flow-change.ts';
import { bringUp, deleteLink, forwardFrom, type GuestLink, linkNamed, prepareTap, tapLink } from './link.ts';
import { ephemeralPorts, listeningPorts } from './local-ports.ts';
import { lockNamespace } from './namespace-lock.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSession } from './netlink.ts';
import { NftSession } from './nf-tables/nft-session.ts';
import { PinWriter } from './pins.ts';
import { Reaper } from './reaper.ts';
import { clearLeftovers } from './reconcile.ts';

interface Standing {
  readonly network: SandboxNetwork;
  readonly index: number;
  policy: SandboxPolicy;
}

const ipv6DeadlineMs = 2_000;
/** Nobody wakes who waits here. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

function refuse(field: string, what: string): CodedError {
  return new CodedError('bad-network', `${field}: ${what}`, 'mend the field that the message names');
}

export class Datapath implements DatapathPort {
  readonly #pod: PodNetwork;
  readonly #guestLink: GuestLink;
  readonly #lock: number;
  readonly #route: NetlinkSession;
  readonly #netfilter: NetlinkSession;
  readonly #nft: NftSession;
  readonly #pins: PinWriter;
  readonly #reaper: Reaper;
  readonly #standing = new Map<string, Standing>();

  /**
   * In the network namespace of the calling thread. Replaces what an earlier process left: its taps are
   * deleted first, then its tables, in the transaction that makes ours.
   * @throws CodedError `datapath-taken`, `bad-network`, `no-interface`, `ruleset-refused`
   */
  constructor(pod: PodNetwork, guestLink: GuestLink = tapLink) {
    checkPod(pod);
    checkMasqueradePorts(pod);
    this.#pod = pod;
    this.#guestLink = guestLink;
    this.#lock = lockNamespace();
    this.#route = new NetlinkSession(NETLINK_ROUTE);
    this.#netfilter = new NetlinkSession(NETLINK_NETFILTER);
    this.#nft = new NftSession(this.#netfilter);
    this.#pins = new PinWriter(this.#netfilter);
    this.#reaper = new Reaper(pod, this.#route, this.#netfilter, this.#nft);
    try {
      const { index } = linkNamed(this.#route, pod.uplink);
      clearLeftovers(this.#route, this.#netfilter, this.#nft, pod, guestLink.kind);
      this.#nft.run(openPod(pod));
      forwardFrom(this.#route, index);
    } catch (error) {
      this.#giveBack();
      throw error;
    }
  }

  open(network: SandboxNetwork, policy: SandboxPolicy): OpenedTap {
    this.#checkPlace(network, policy);
    const fd = this.#guestLink.create(network.tap);
    let index = -1;
    let isRuled = false;
    try {
      ({ index } = linkNamed(this.#route, network.tap));
      prepareTap(this.#route, index, network.tapMac);
      for (const [family, { gateway, resolver }] of familiesOf(network)) {
        addAddress(this.#route, index, gateway, subnetLengths[family]);
        if (resolver !== gateway) addAddress(this.#route, index, resolver, family === 'ipv4' ? 32 : 128);
      }
      this.#nft.run(openSandbox(this.#pod, network, policy));
      isRuled = true;
      bringUp(this.#route, index);
      if (network.ipv6 !== null) this.#awaitIpv6(network.ipv6.gateway);
      for (const [, { guest }] of familiesOf(network)) {
        bindNeighbor(this.#route, index, guest, network.guestMac);
      }
    } catch (error) {
      close(fd);
      if (index !== -1) deleteLink(this.#route, index);
      if (isRuled) {
        this.#reaper.cut({ network, index, policy });
        this.#reaper.removeRules([{ network, index, policy }]);
      }
      throw error;
    }
    this.#standing.set(network.tap, { network, index, policy });
    return { fd, index };
  }

  /** The kernel makes an IPv6 address its own in a queue of work, some time after the tap is up. */
  #awaitIpv6(gateway: string): void {
    const end = performance.now() + ipv6DeadlineMs;
    while (meaningOf(this.#route, gateway) !== 'own') {
      if (performance.now() > end) {
        throw new CodedError(
          'ipv6-unsupported',
          `the kernel did not make ${gateway} its own within ${ipv6DeadlineMs} ms`,
          'see net.ipv6.conf.all.disable_ipv6, or leave IPv6 off',
        );
      }
      Atomics.wait(nobody, 0, 0, 1);
    }
  }

  /** What the sandbox would collide with in this pod. */
  #checkPlace(network: SandboxNetwork, policy: SandboxPolicy): void {
    checkNetwork(this.#pod, network);
    checkPolicy(this.#pod, policy);
    const { tap, ipv6 } = network;
    if (this.#standing.has(tap) || this.#reaper.isWaiting(tap)) {
      throw new CodedError('tap-taken', `a sandbox stands at ${tap}`, 'close it first, or name another tap');
    }
    if (ipv6 !== null && !forwardsIpv6(this.#route)) {
      throw new CodedError(
        'ipv6-unsupported',
        'the pod forwards no IPv6: net.ipv6.conf.all.forwarding is 0',
        'allow this unsafe sysctl and set it to 1 in the pod’s securityContext, or leave IPv6 off',
      );
    }
    for (const [family, { guest, gateway }] of familiesOf(network)) {
      for (const [part, address] of [
        ['guest', guest],
        ['gateway', gateway],
      ] as const) {
        const meaning = meaningOf(this.#route, address);
        if (meaning === 'own') throw refuse(`${family}.${part}`, `${address} is the pod’s already`);
        if (meaning === 'on-link')
          throw refuse(`${family}.${part}`, `${address} is on another link of the pod`);
      }
    }
    this.#checkInbound(tap, policy);
  }

  #checkInbound(tap: string, { inbound }: SandboxPolicy): void {
    if (inbound.length === 0) return;
    const others = [...this.#standing.values()].filter(({ network }) => network.tap !== tap);
    const used = new Map<string, string>(
      others.flatMap(({ network, policy }) =>
        policy.inbound.map(({ protocol, podPort }) => [`${protocol} ${podPort}`, network.tap] as const),
      ),
    );
    const listeners = new Set<string>(listeningPorts().map(({ protocol, port }) => `${protocol} ${port}`));
    for (const [index, { protocol, podPort }] of inbound.entries()) {
      const key = `${protocol} ${podPort}`;
      const owner = used.get(key);
      if (owner !== undefined)
        throw refuse(`inbound[${index}].podPort`, `${key} is the sandbox’s at ${owner}`);
      if (listeners.has(key)) throw refuse(`inbound[${index}].podPort`, `the pod itself listens on ${key}`);
    }
  }

  change(tap: string, policy: SandboxPolicy, unjustified: readonly PinElement[] = []): void {
    const standing = this.#known(tap);
    checkPolicy(this.#pod, policy);
    this.#checkInbound(tap, policy);
    if (this.#pins.delete(unjustified).includes(false)) {
      throw new CodedError(
        'ruleset-refused',
        'a pin that is not justified any more cannot be removed',
        'try again',
      );
    }
    const { network, policy: before } = standing;
    this.#nft.run(changePolicy(this.#pod, network, before, policy));
    standing.policy = policy;
    const marks = [before, policy].map((one) => flowMark(this.#pod, network, one));
    const [old = 0, now = 0] = marks;
    replaceFlows(this.#netfilter, this.#nft, { pod: this.#pod, network, policy, old, now });
  }

  cutOff(tap: string): void {
    const { network, index, policy } = this.#known(tap);
    const withdrawn = { network, index, policy };
    this.#reaper.cut(withdrawn);
    this.#standing.delete(tap);
    this.#reaper.add(withdrawn);
  }

  reap(): void {
    this.#reaper.reap();
  }

  close(tap: string): void {
    this.cutOff(tap);
    this.reap();
  }

  closeInBackground(tap: string): Promise<void> {
    this.cutOff(tap);
    return this.#reaper.reapInBackground(tap);
  }

  addPins(pins: readonly PinElement[]): boolean[] {
    return this.#pins.add(pins);
  }

  deletePins(pins: readonly PinElement[]): boolean[] {
    return this.#pins.delete(pins);
  }

  shutDown(): void {
    try {
      for (const tap of [...this.#standing.keys()]) this.cutOff(tap);
      this.reap();
      this.#nft.run(closePod());
    } finally {
      this.#giveBack();
    }
  }

  #giveBack(): void {
    this.#reaper.close();
    this.#netfilter.close();
    this.#route.close();
    close(this.#lock);
  }

  #known(tap: string): Standing {
    const standing = this.#standing.get(tap);
    if (standing === undefined) {
      throw new CodedError('no-sandbox', `no sandbox stands at ${tap}`, 'open one, or name the tap of one');
    }
    return standing;
  }
}

/** A reply to a guest must find neither a listener of the pod nor a connection of its own. */
function checkMasqueradePorts({ masqueradePorts: [first, last] }: PodNetwork): void {
  const ephemeral = ephemeralPorts();
  if (ephemeral !== null && first <= ephemeral[1] && ephemeral[0] <= last) {
    throw refuse('masqueradePorts', `overlaps net.ipv4.ip_local_port_range, ${ephemeral.join(' to ')}`);
  }
  const listener = listeningPorts().find(({ port }) => port >= first && port <= last);
  if (listener !== undefined)
    throw refuse('masqueradePorts', `the pod listens on ${listener.protocol} ${listener.port}`);
}
