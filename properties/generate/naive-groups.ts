/**
 * Kinds of addresses in which naive filters go wrong, and why: each vector of the corpus is in the first that
 * matches.
 */
import type { AddressVector } from '../vectors/generate/addresses.ts';

export interface NaiveGroup {
  readonly name: string;
  readonly reason: string;
  readonly matches: (vector: AddressVector) => boolean;
}

const byRule = (pattern: RegExp) => (vector: AddressVector) => pattern.test(vector.rule);
const byId = (pattern: RegExp) => (vector: AddressVector) => pattern.test(vector.id);
const byAddress = (pattern: RegExp) => (vector: AddressVector) => pattern.test(vector.input.address);

export const blockedGroups: readonly NaiveGroup[] = [
  {
    name: 'text that is no address',
    reason: 'The parser is lenient: `01.2.3.4` and `1.2.3` are read as addresses, and differently by others.',
    matches: byRule(/^not an address/),
  },
  {
    name: 'ISATAP',
    reason:
      'The IPv4 stands in the interface identifier of an ordinary unicast address, which no registry lists.',
    matches: byRule(/^ISATAP/),
  },
  {
    name: 'NAT64 `64:ff9b::/96`',
    reason:
      'A registry calls the block globally reachable; the IPv4 inside, which the translator dials, is not looked at.',
    matches: byRule(/^NAT64/),
  },
  {
    name: 'local-use NAT64 `64:ff9b:1::/48`',
    reason: 'RFC 8215 is of 2017; tables that are older, or patterns on text, do not have it.',
    matches: byRule(/^64:ff9b:1::/),
  },
  {
    name: '6to4',
    reason: 'The IPv4 in bits 16 to 47 decides where the packet goes; it is not looked at.',
    matches: byRule(/^6to4/),
  },
  {
    name: 'Teredo',
    reason: 'Client and server are IPv4 addresses inside `2001::/32`; patterns on text miss most spellings.',
    matches: byId(/^embedding\/Teredo|^ipv6\/2001::\/32\/(first|last)/),
  },
  {
    name: 'IPv4-mapped',
    reason:
      '`::ffff:a9fe:a9fe` is `169.254.169.254`: patterns on the dotted form miss it, and an IPv4 list that lacks an entry lacks it here too.',
    matches: byAddress(/^::ffff:(?!0:[0-9a-f]+:)[0-9a-f]+:[0-9a-f]+$/),
  },
  {
    name: 'IPv4-compatible and SIIT',
    reason: 'Deprecated embeddings in no registry; a stack or a translator may still know them.',
    matches: byId(/^embedding\/(IPv4-compatible|SIIT)/),
  },
  {
    name: 'clouds outside link-local and ULA',
    reason:
      '`168.63.129.16` is a public address by every registry; `192.0.0.192` is in a block that older tables list in part.',
    matches: byRule(/^(168\.63|192\.0\.0\.192|100\.100)/),
  },
  {
    name: 'protocol assignments, anycast and relays',
    reason:
      'IANA calls parts of these globally reachable, and older tables list parts only; a sandbox has no business there.',
    matches: byRule(/^(192\.0\.0\.0|192\.31|192\.52|192\.88|192\.175|2001::\/23|2620:4f)/),
  },
  {
    name: 'site-local `fec0::/10`',
    reason:
      'Deprecated by RFC 3879, so out of the registry of special-purpose addresses; routers may still route it.',
    matches: byRule(/^fec0/),
  },
  {
    name: 'discard-only, dummy, documentation, segment routing in IPv6',
    reason: '`100:0:0:1::/64`, `3fff::/20` and `5f00::/16` are of 2024 and later; the tables are older.',
    matches: byRule(/^(100:|3fff|5f00|2001:db8)/),
  },
  {
    name: 'outside `2000::/3`',
    reason: 'IANA has delegated nothing there; a list of what is special passes all of it.',
    matches: byRule(/^outside/),
  },
  {
    name: 'private, shared, loopback, link-local, multicast, reserved, documentation',
    reason: 'What such filters are written for; where one passes any, an entry is missing from its list.',
    matches: () => true,
  },
];

export const publicGroups: readonly NaiveGroup[] = [
  {
    name: 'NAT64 `64:ff9b::/96` of a public IPv4',
    reason: 'The block is refused whole: on an IPv6-only node with NAT64 that is every IPv4 destination.',
    matches: byRule(/^NAT64/),
  },
  {
    name: '6to4 of a public IPv4',
    reason: 'The block is refused whole.',
    matches: byAddress(/^2002:/),
  },
  {
    name: 'ISATAP with a public IPv4',
    reason: 'Ordinary unicast.',
    matches: byId(/^embedding\/ISATAP/),
  },
  {
    name: 'ordinary unicast, next to special blocks',
    reason: 'Neighbours of blocked ranges: an off-by-one would show here.',
    matches: () => true,
  },
];
