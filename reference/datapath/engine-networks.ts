/**
 * The networks of a fork engine: for each sandbox a network namespace without a name, with a datapath and a resolver of
 * its own, behind a veth pair to the machine.
 * Invariant: a guest is behind its datapath before it runs; the machine's own listeners are behind a rule before there
 * is an uplink; the kernel takes namespaces, taps and uplinks away with this process, whatever ends it.
 */
import { readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { makePrivateNamespace, type PrivateNamespace } from '#reference/base/private-namespace.ts';
import { close, SyscallError } from '#reference/base/syscalls.ts';
import type { SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import type { DnsProxyPort } from '#reference/contract/dns-port.ts';
import type { NetworksPort, SandboxNetworkHandle } from '#reference/contract/network-port.ts';
import { addAddress } from './address.ts';
import { Datapath } from './datapath.ts';
import { closeEngine, nameUplink, openEngine } from './engine-ruleset.ts';
import { addDefaultRoute, addUplink } from './engine-uplink.ts';
import { bringUp, deleteLink, linkNamed } from './link.ts';
import { lockNamespace } from './namespace-lock.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSession } from './netlink.ts';
import { NftSession } from './nf-tables/nft-session.ts';

export interface EngineNetworksOptions {
  /** MAC of eth0 in every guest. */
  readonly guestMac: string;
  /** A resolver whose guests and pins are in the namespace; it asks from this one. */
  readonly startResolver: (namespacePath: string) => Promise<DnsProxyPort>;
}

/** 198.18.0.0/15 is for benchmarks of devices (RFC 2544): on no machine's link. Four addresses a sandbox. */
const net = { addr: '198.18.0.0', length: 16 } as const;
export const maxNetworks = 4_096;
const hostPrefix = 30;
const uplinkName = 'up0';
/** Alike in every namespace: each guest is alone in its own. */
const guestNetwork: Omit<SandboxNetwork, 'guestMac'> = {
  tap: 'tap0',
  tapMac: '02:00:00:00:00:01',
  ipv4: { guest: '198.19.255.2', gateway: '198.19.255.1', resolver: '198.19.255.1' },
  ipv6: null,
};
const podOf = (uplink: string) => ({
  uplink,
  ...{ denyCIDRs: [`${net.addr}/${net.length}`], nat64Prefixes: [], pinPrivateCIDRs: [] },
  ...{ masqueradePorts: [10_000, 29_999] as const, maxPins: 1_024 },
});

export class EngineNetworks implements NetworksPort {
  readonly #options: EngineNetworksOptions;
  readonly #lock: number;
  readonly #route: NetlinkSession;
  readonly #netfilter: NetlinkSession;
  readonly #nft: NftSession;
  readonly #taken = new Set<number>();
  readonly #open = new Set<SandboxNetworkHandle>();

  /**
   * In the network namespace of the calling thread.
   * @throws CodedError `no-network`, `datapath-taken`, `ruleset-refused`
   */
  constructor(options: EngineNetworksOptions) {
    checkForwarding();
    this.#options = options;
    this.#lock = lockNamespace('mitos/engine');
    this.#route = new NetlinkSession(NETLINK_ROUTE);
    this.#netfilter = new NetlinkSession(NETLINK_NETFILTER);
    this.#nft = new NftSession(this.#netfilter);
    try {
      this.#nft.run(openEngine(net, maxNetworks));
    } catch (error) {
      this.#giveBack();
      throw error;
    }
  }

  async open(_sandbox: string, policy: SandboxPolicy): Promise<SandboxNetworkHandle> {
    const index = this.#takeIndex();
    const held: (() => unknown)[] = [() => this.#taken.delete(index)];
    const giveBack = async () => {
      const failures: unknown[] = [];
      for (const act of held.splice(0).reverse()) {
        try {
          await act();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    };
    try {
      const place = makePlace();
      held.push(() => place.close());
      this.#connect(place, index, held);
      const tapFd = await this.#stand(place, policy, held);
      const { guest, gateway, resolver } = guestNetwork.ipv4;
      const handle: SandboxNetworkHandle = {
        tapFd,
        guest: { address: `${guest}/30`, gateway, resolvers: [resolver] },
        close: async () => {
          if (this.#open.delete(handle)) await giveBack();
        },
      };
      this.#open.add(handle);
      return handle;
    } catch (error) {
      await giveBack();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const handle of [...this.#open]) await handle.close();
    try {
      this.#nft.run(closeEngine());
    } finally {
      this.#giveBack();
    }
  }

  /** A veth pair: the machine's end is ruled before it is up. */
  #connect(place: PrivateNamespace, index: number, held: (() => unknown)[]): void {
    const name = `mitos-${index}`;
    const [machine, own] = addressesOf(index);
    this.#nft.run(nameUplink('add', name));
    held.push(() => this.#nft.run(nameUplink('delete', name)));
    addUplink(this.#route, name, uplinkName, place.fd);
    const uplink = linkNamed(this.#route, name);
    held.push(() => deleteLink(this.#route, uplink.index));
    addAddress(this.#route, uplink.index, machine, hostPrefix);
    bringUp(this.#route, uplink.index);
    const inside = place.namespace.within(() => new NetlinkSession(NETLINK_ROUTE));
    try {
      bringUp(inside, linkNamed(inside, 'lo').index);
      const there = linkNamed(inside, uplinkName);
      addAddress(inside, there.index, own, hostPrefix);
      bringUp(inside, there.index);
      addDefaultRoute(inside, machine, there.index);
    } finally {
      inside.close();
    }
  }

  /** Datapath, tap, resolver. @returns the VMM's end of the tap */
  async #stand(place: PrivateNamespace, policy: SandboxPolicy, held: (() => unknown)[]): Promise<number> {
    const { guestMac, startResolver } = this.#options;
    const { within } = place.namespace;
    const inside = <T>(act: () => T) => within.call(place.namespace, act) as T;
    const datapath = inside(() => new Datapath(podOf(uplinkName)));
    held.push(() => inside(() => datapath.shutDown()));
    const { fd } = inside(() => datapath.open({ ...guestNetwork, guestMac }, policy));
    held.push(() => close(fd));
    const resolver = await startResolver(place.path);
    held.push(() => resolver.stop());
    await resolver.attach({
      tap: guestNetwork.tap,
      listen: [{ address: guestNetwork.ipv4.resolver, port: 53 }],
      policy: { allow: policy.allow, ipv6: false, ...podOf(uplinkName) },
    });
    return fd;
  }

  #takeIndex(): number {
    for (let index = 0; index < maxNetworks; index++) {
      if (this.#taken.has(index)) continue;
      this.#taken.add(index);
      return index;
    }
    throw new CodedError(
      'too-many-vms',
      `${maxNetworks} networks stand`,
      'terminate sandboxes, and try again later',
    );
  }

  #giveBack(): void {
    this.#netfilter.close();
    this.#route.close();
    close(this.#lock);
  }
}

/** Of the machine and of the sandbox, on their link. */
function addressesOf(index: number): readonly [machine: string, own: string] {
  const of = (at: number) => `198.18.${at >> 8}.${at & 255}`;
  return [of(4 * index + 1), of(4 * index + 2)];
}

function makePlace(): PrivateNamespace {
  try {
    return makePrivateNamespace();
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw noNetwork(
      'no network namespace can be made',
      'run the engine as root, or fork without a network',
      cause,
    );
  }
}

/** Of the machine: a setting that is its owner’s to make. */
function checkForwarding(): void {
  if (readFileSync('/proc/sys/net/ipv4/ip_forward', 'latin1').trim() === '1') return;
  throw noNetwork('the machine forwards no IPv4', 'set net.ipv4.ip_forward to 1, or fork without a network');
}

function noNetwork(what: string, remedy: string, cause?: unknown): CodedError {
  return new CodedError('no-network', what, remedy, { cause });
}
