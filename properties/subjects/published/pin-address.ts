/**
 * The pin filter after the published fix (findings.md F1, "Published"): "decodes `64:ff9b::/96` and
 * `2002::/16`, re-applies its own IPv4 policy (RFC 1918, loopback, link-local, multicast, unspecified
 * `0.0.0.0`, CGNAT), blocks `fec0::/10`".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { pinAddress } from '../../protocol/pin-address.ts';

/**
 * Octets of an address; an IPv4-mapped one becomes its IPv4, as the original's address type does by itself.
 */
export function octetsOf(text: string): number[] | null {
  const all = text.includes(':') ? ipv6Octets(text) : ipv4Octets(text);
  const mapped =
    all?.length === 16 &&
    all.slice(0, 10).every((octet) => octet === 0) &&
    all[10] === 255 &&
    all[11] === 255;
  return mapped ? (all?.slice(12) ?? null) : all;
}

function ipv4Octets(text: string): number[] | null {
  const octets = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
  return octets.length === 4 && octets.every((octet) => octet <= 255) ? octets : null;
}

function ipv6Octets(text: string): number[] | null {
  const quad = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const last = quad === null ? null : ipv4Octets(quad[2] ?? '');
  if (quad !== null && last === null) return null;
  const [a = 0, b = 0, c = 0, d = 0] = last ?? [];
  const plain =
    quad === null ? text : `${quad[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const halves = plain.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}

/**
 * "refused RFC 1918, ULA, loopback, link-local, multicast, unspecified, CGNAT" (findings.md F1,
 * "Vulnerable").
 */
export function refusesBefore(octets: readonly number[]): string | null {
  const [a = 0, b = 0] = octets;
  if (octets.every((octet) => octet === 0)) return 'unspecified';
  if (octets.length === 4) {
    if (a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168)) return 'RFC 1918';
    if (a === 127) return 'loopback';
    if (a === 169 && b === 254) return 'link-local';
    if (a >= 224 && a <= 239) return 'multicast';
    return a === 100 && b >= 64 && b <= 127 ? 'CGNAT' : null;
  }
  if ((a & 0xfe) === 0xfc) return 'ULA';
  if (octets.slice(0, 15).every((octet) => octet === 0) && octets[15] === 1) return 'loopback';
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'link-local';
  return a === 0xff ? 'multicast' : null;
}

function refuses(octets: readonly number[]): string | null {
  const before = refusesBefore(octets);
  if (before !== null || octets.length === 4) return before;
  if (octets[0] === 0xfe && ((octets[1] ?? 0) & 0xc0) === 0xc0) return 'site-local';
  const wellKnown = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
  if (wellKnown.every((octet, index) => octets[index] === octet)) return wrapped('NAT64', octets.slice(12));
  return octets[0] === 0x20 && octets[1] === 0x02 ? wrapped('6to4', octets.slice(2, 6)) : null;
}

function wrapped(how: string, ipv4: readonly number[]): string | null {
  const inner = refusesBefore(ipv4);
  return inner === null ? null : `${how} of ${inner}`;
}

/** The operator's lists did not exist: the config is not read. */
export const bind: Bind<typeof pinAddress> = () => filterBy(refuses);

/** Shared with `vulnerable`, which differs in the filter alone. */
export function filterBy(
  refusal: (octets: readonly number[]) => string | null,
): ReturnType<Bind<typeof pinAddress>> {
  return ({ address }) => {
    const octets = octetsOf(address);
    if (octets === null) return { verdict: 'refuse', rule: 'not an address' };
    const refused = refusal(octets);
    if (refused !== null) return { verdict: 'refuse', rule: refused };
    return {
      verdict: 'pin',
      pinnedAs: octets.length === 4 ? octets.join('.') : address,
      rule: 'passed the filter',
    };
  };
}
