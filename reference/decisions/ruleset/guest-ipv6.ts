/** Neighbour discovery (RFC 4861) of a sandbox whose IPv6 is on, bound to the guest's pair as ARP is. */
import type { GuestAddresses, SandboxNetwork } from '#reference/contract/datapath.ts';
import { formatAddress, parseAddress } from '../pin-address/ip-address.ts';
import { accept, type Command, match, payload, raw, type Statement } from './nft-json.ts';
import { add } from './pod-ruleset.ts';

const hex = (bytes: Iterable<number>) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
/** checkNetwork has refused what is no address. */
const bytesOf = (address: string) => parseAddress(address) as Uint8Array;
const hexOf = (address: string) => `0x${hex(bytesOf(address))}`;

/** RFC 4291 section 2.7.1. */
export function solicitedNode(address: string): string {
  const last = bytesOf(address).slice(13);
  return formatAddress(Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...last));
}

/** Asked for: the gateway's or the resolver's address, with the guest's MAC as the only option. */
export function neighborRules(
  chain: string,
  { guestMac }: SandboxNetwork,
  { guest, gateway, resolver }: GuestAddresses,
  link?: readonly Statement[],
): Command[] {
  const why = 'a neighbour solicitation that binds the guest’s pair';
  return [...new Set([gateway, resolver])]
    .flatMap((asked) => [asked, solicitedNode(asked)].map((sentTo) => ({ asked, sentTo })))
    .map(({ asked, sentTo }) => {
      const solicitation = [
        match(payload('ip6', 'saddr'), guest),
        match(payload('ip6', 'daddr'), sentTo),
        match(payload('ip6', 'length'), 32),
        match(payload('ip6', 'nexthdr'), 'ipv6-icmp'),
        match(payload('ip6', 'hoplimit'), 255),
        match(payload('icmpv6', 'type'), 'nd-neighbor-solicit'),
        match(payload('icmpv6', 'code'), 0),
        match(raw('th', 64, 128), hexOf(asked)),
        match(raw('th', 192, 64), `0x0101${guestMac.replaceAll(':', '')}`),
        accept,
      ];
      return link === undefined
        ? add.rule(chain, why, ...solicitation)
        : add.netdevRule(chain, why, ...link, ...solicitation);
    });
}

/** What the pod's kernel answers to it. */
export function neighborAnswers(chain: string, { guest, gateway, resolver }: GuestAddresses): Command[] {
  return [...new Set([gateway, resolver])].map((asked) =>
    add.rule(
      chain,
      'a neighbour advertisement to the guest',
      match(payload('ip6', 'saddr'), asked),
      match(payload('ip6', 'daddr'), guest),
      match(payload('ip6', 'hoplimit'), 255),
      match(payload('icmpv6', 'type'), 'nd-neighbor-advert'),
      accept,
    ),
  );
}
