/** The CIDR entries of a template as elements `address . protocol . port`, disjoint by protocol and port. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { AddressFamily } from '#reference/contract/datapath.ts';
import { parseAddress, parsePrefix } from '../pin-address/ip-address.ts';
import { elementsOf, type Interval, intervalOf } from './address-sets.ts';
import { concat, type Json } from './nft-json.ts';

interface CidrEntry {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly interval: Interval;
  readonly family: AddressFamily;
}

/** Elements of one sandbox's set of CIDRs, and entries of its allow list. */
export const maxCidrEntries = 1_024;

/** null: the entry names a host, which is the DNS proxy's. Throws CodedError `bad-allow-entry`, `bad-prefix`. */
export function parseCidrEntry(entry: string): CidrEntry | null {
  const [, host, digits] = /^(.+):(\d{1,5})$/s.exec(entry.replace(/^(tcp|udp):\/\//, '')) ?? [];
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new CodedError(
      'bad-allow-entry',
      `allow: ${JSON.stringify(entry.slice(0, 300))}: it has no port from 1 to 65535`,
      'write [tcp|udp://]CIDR:port, for example 10.0.0.0/8:443',
    );
  }
  const bare = host.replace(/^\[([^[\]]*)\](\/\d+)?$/, '$1$2');
  const [text] = bare.split('/') as [string];
  const address = parseAddress(text);
  if (/[[\]]/.test(host) && address?.length !== 16) {
    throw new CodedError(
      'bad-allow-entry',
      `allow: ${JSON.stringify(entry.slice(0, 300))}: its brackets are not around an IPv6 address or CIDR`,
      'write [tcp|udp://][IPv6 CIDR]:port, for example [fd00::/8]:443',
    );
  }
  if (address === null) return null;
  const bits = address.length * 8;
  const parsed = parsePrefix(bare.includes('/') ? bare : `${bare}/${bits}`, 'allow');
  return {
    protocol: entry.startsWith('udp://') ? 'udp' : 'tcp',
    port,
    interval: intervalOf(parsed),
    family: bits === 32 ? 'ipv4' : 'ipv6',
  };
}

/** An interval set of concatenations takes no overlapping elements: intervals are joined first. */
export function cidrElements(allow: readonly string[], family: AddressFamily): Json[] {
  const places = new Map<string, { readonly entry: CidrEntry; readonly intervals: Interval[] }>();
  for (const text of allow) {
    const entry = parseCidrEntry(text);
    if (entry === null || entry.family !== family) continue;
    const key = `${entry.protocol} ${entry.port}`;
    const place = places.get(key) ?? { entry, intervals: [] };
    place.intervals.push(entry.interval);
    places.set(key, place);
  }
  return [...places.keys()].sort().flatMap((key) => {
    const { entry, intervals } = places.get(key) as NonNullable<ReturnType<typeof places.get>>;
    return elementsOf(intervals, family).map((address) => concat(address, entry.protocol, entry.port));
  });
}
