/**
 * Can this be the address of a pod? A status may hold anything: loopback, link-local and unspecified
 * addresses are stored as they come.
 */
import { parseAddress } from '../pin-address/ip-address.ts';

/** In characters. */
const longestAddress = 45;

/** The octets of an address, or null for anything that is none. */
export function addressOctets(text: unknown): Uint8Array | null {
  return typeof text === 'string' ? parseAddress(text) : null;
}

/**
 * Equal for two texts exactly when they are the same address; null when the text can be none. Without a
 * colon an address has one notation only: its text.
 */
export function addressKey(text: unknown): string | null {
  if (typeof text !== 'string' || text.length > longestAddress) return null;
  if (!text.includes(':')) return text;
  const octets = parseAddress(text);
  if (octets === null) return null;
  const group = (at: number) => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  // Nothing without a colon begins like it.
  return `:${String.fromCharCode(group(0), group(2), group(4), group(6), group(8), group(10), group(12), group(14))}`;
}

/** Why a pod cannot have this address; null when it can. */
export function whyNoPodAddress(octets: Uint8Array): string | null {
  const [first = 0, second = 0] = octets;
  if (octets.length === 4) {
    if (first === 0) return 'address: unspecified';
    if (first === 127) return 'address: loopback';
    if (first === 169 && second === 254) return 'address: link-local';
    if (first >= 240) return 'address: reserved or broadcast';
    return first >= 224 ? 'address: multicast' : null;
  }
  if (first === 0xff) return 'address: multicast';
  if (first === 0xfe && (second & 0x80) !== 0) return 'address: link-local or site-local';
  if (octets.subarray(0, 10).some((octet) => octet !== 0)) return null;
  // ::/80 holds unspecified, loopback, IPv4-mapped and IPv4-compatible addresses, and no pod.
  return 'address: unspecified, loopback or an IPv4 in disguise';
}
