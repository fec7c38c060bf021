/**
 * The proxy as an egress filter for a network namespace that is not ours: it resolves for whoever is in there, and
 * what it pins is all that leaves.
 * Invariant: whole or not at all. While it runs, and after it was killed, what is not pinned or allowed by CIDR does
 * not leave; only `stop` opens the namespace again. The namespace of the caller is never filtered.
 */
import { statSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import { NetworkNamespace } from '#reference/base/namespace-thread.ts';
import { close } from '#reference/base/syscalls.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { lockNamespace } from '../../datapath/namespace-lock.ts';
import { NETLINK_NETFILTER, NetlinkSession } from '../../datapath/netlink.ts';
import { NftSession } from '../../datapath/nf-tables/nft-session.ts';
import { compileDnsPolicy } from '../../decisions/dns-answer/dns-policy.ts';
import { checkAllowEntries, checkEndpoint } from '../check-policy.ts';
import { type ProxyLimits, proxyLimits } from '../core/limits.ts';
import type { DnsUpstream } from '../core/upstreams.ts';
import { type DnsProxy, startDnsProxy } from '../dnsproxy.ts';
import { closeEgress, type EgressPolicy, egressTable, egressTap, openEgress } from './egress-ruleset.ts';

export interface EgressFilterOptions {
  /** A file of the namespace: under /run/netns, or /proc/PID/ns/net. */
  readonly namespacePath: string;
  /** Where its processes ask; an address that is there. */
  readonly listen: readonly DnsEndpoint[];
  readonly policy: Omit<EgressPolicy, 'maxPins'> & { readonly ipv6: boolean };
  readonly upstreams: readonly DnsUpstream[];
  readonly io: 'epoll' | 'dgram';
  readonly limits?: Partial<ProxyLimits>;
  readonly log: Log;
}

export interface EgressFilter {
  readonly proxy: DnsProxy;
  /** The table goes, and with it the filter. */
  stop(): Promise<void>;
}

/**
 * @throws CodedError `no-namespace`, `own-namespace`, `filter-taken`, `no-net-admin`, `address-taken`, `bad-allow-entry` …
 */
export async function startEgressFilter(options: EgressFilterOptions): Promise<EgressFilter> {
  const { namespacePath, listen, policy, upstreams, io, log } = options;
  // What is wrong with what was asked for is said before anything stands.
  checkAllowEntries(policy.allow);
  compileDnsPolicy({ ...proxyLimits, ...policy, randomCase: true });
  for (const endpoint of listen) checkEndpoint('listen', endpoint);
  const there = new NetworkNamespace(namespacePath);
  const held: (() => void)[] = [() => there.close()];
  const giveBack = () => {
    for (const act of held.splice(0).reverse()) act();
  };
  try {
    refuseOwn(namespacePath);
    const lock = there.within(() => lockNamespace('mitos/dns', filterTaken));
    held.push(() => close(lock));
    const netfilter = there.within(() => new NetlinkSession(NETLINK_NETFILTER));
    held.push(() => netfilter.close());
    const nft = new NftSession(netfilter);
    // What a killed filter left keeps the namespace closed, also when this one does not come up.
    const isLeftover = nft.chains('inet', egressTable).length > 0;
    const limits = { ...proxyLimits, ...options.limits };
    nft.run(openEgress({ ...policy, maxPins: limits.maxElementsPerSet }));
    if (!isLeftover) held.push(() => nft.run(closeEgress()));
    const pins = { table: egressTable };
    const proxy = await startDnsProxy({ upstreams, io, limits, log, pins, namespacePath });
    try {
      await proxy.attach({ tap: egressTap, listen, policy });
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    if (isLeftover) held.push(() => nft.run(closeEgress()));
    return {
      proxy,
      async stop() {
        await proxy.stop();
        giveBack();
      },
    };
  } catch (error) {
    giveBack();
    throw error;
  }
}

function filterTaken(cause: unknown): CodedError {
  return new CodedError(
    'filter-taken',
    'another process filters what leaves this network namespace',
    'end it first; see ss -xap for who holds @mitos/dns',
    { cause },
  );
}

/** A filter of the namespace that it asks upstream from would cut itself off, and everybody else here. */
function refuseOwn(path: string): void {
  const [there, here] = [path, '/proc/self/ns/net'].map((one) => statSync(one));
  if (there?.ino !== here?.ino || there?.dev !== here?.dev) return;
  throw new CodedError(
    'own-namespace',
    `${path} is the network namespace that this command itself runs in`,
    'name another one: the host’s own network is never filtered',
  );
}
