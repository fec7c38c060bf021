/** Destinations that no guest may reach whatever is allowed, and those that only an explicit CIDR opens. */

import {
  cloudAddresses,
  globalUnicast,
  ipv4Registry,
  ipv6Registry,
  wrapperBlocks,
} from '#properties/oracles/addresses/registries.ts';
import { type Bdd, type Bdds, never } from '#properties/oracles/bdd/bdd.ts';
import type { Bits } from '#properties/oracles/bdd/bit-vector.ts';
import { inPrefix } from '#properties/oracles/nft/evaluate/fib.ts';
import { familyOf } from './packet-conditions.ts';

/** findings.md F1: metadata and cloud table, link-local, loopback, multicast. */
const never4 = ['169.254.0.0/16', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'];
const never6 = ['fe80::/10', '::1/128', 'ff00::/8'];
const clouds = cloudAddresses.map(({ prefix }) => prefix);

export const neverPrefixes = {
  4: [...never4, ...clouds.filter((prefix) => familyOf(prefix) === 4)],
  6: [...never6, ...clouds.filter((prefix) => familyOf(prefix) === 6)],
} as const;

const wrappers: readonly string[] = wrapperBlocks;
const private4 = ipv4Registry.map(({ prefix }) => prefix);
const private6 = ipv6Registry.map(({ prefix }) => prefix).filter((prefix) => !wrappers.includes(prefix));

/** Where the two well-known translators keep the IPv4: first bit in the address (RFC 6052, RFC 3056). */
const embeddings = [
  { prefix: '64:ff9b::/96', at: 96 },
  { prefix: '2002::/16', at: 16 },
] as const;

type ListName = 'never' | 'private';

export function isDenied(bdds: Bdds, family: number | string, address: Bits, list: ListName): Bdd {
  const within = (bits: Bits, prefixes: readonly string[]) =>
    bdds.any(prefixes.map((prefix) => inPrefix(bdds, bits, prefix)));
  const ipv4 = (bits: Bits) => within(bits, list === 'never' ? neverPrefixes[4] : private4);
  if (family === 4) return ipv4(address);
  if (family !== 6) return never;
  const embedded = embeddings.map(({ prefix, at }) =>
    bdds.and(inPrefix(bdds, address, prefix), ipv4(address.slice(at, at + 32))),
  );
  const plain =
    list === 'never'
      ? within(address, neverPrefixes[6])
      : bdds.or(outsideGlobal(bdds, address), within(address, private6));
  return bdds.any([plain, ...embedded]);
}

function outsideGlobal(bdds: Bdds, address: Bits): Bdd {
  const inside = [globalUnicast, '64:ff9b::/96'].map((prefix) => inPrefix(bdds, address, prefix));
  return bdds.any(inside) ^ 1;
}
