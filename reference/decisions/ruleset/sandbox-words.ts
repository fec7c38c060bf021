/** What the rules of a sandbox have in common: families, fields, and the names of its sets. */
import type { AddressFamily, GuestAddresses, SandboxNetwork } from '#reference/contract/datapath.ts';
import { concat, inSet, type Json, match, meta, payload, type Statement } from './nft-json.ts';

export const cidrSetOf = (tap: string, family: AddressFamily) => `${tap}/cidrs-${family}`;
export const ingressChainOf = (tap: string) => `${tap}/ingress`;

/** Families that are on, with the guest's addresses. */
export function familiesOf(network: SandboxNetwork): [AddressFamily, GuestAddresses][] {
  return network.ipv6 === null
    ? [['ipv4', network.ipv4]]
    : [
        ['ipv4', network.ipv4],
        ['ipv6', network.ipv6],
      ];
}

/** ICMP errors about a flow: what path MTU discovery and a closed port need (RFC 792, RFC 4443). */
export const errorTypes = {
  ipv4: { protocol: 'icmp', types: ['destination-unreachable', 'time-exceeded', 'parameter-problem'] },
  ipv6: {
    protocol: 'icmpv6',
    types: ['destination-unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem'],
  },
} as const;

/** The set of the pod's table that holds them: one of its own in each rule would cost a look at every set. */
export const errorSetOf = (family: AddressFamily) => `errors-${errorTypes[family].protocol}`;
/** TCP and UDP. */
export const portProtocols = 'port-protocols';

const headerOf = { ipv4: 'ip', ipv6: 'ip6' } as const;
export const destination = (family: AddressFamily) => payload(headerOf[family], 'daddr');
export const source = (family: AddressFamily) => payload(headerOf[family], 'saddr');
export const place = (family: AddressFamily): Json =>
  concat(destination(family), meta('l4proto'), payload('th', 'dport'));

export const toPort53: readonly Statement[] = [
  match(meta('l4proto'), inSet(portProtocols)),
  match(payload('th', 'dport'), 53),
];
