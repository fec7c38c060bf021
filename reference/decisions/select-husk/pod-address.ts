/**
 * Can this be the address of a pod? A status may hold anything: loopback, link-local and unspecified
 * addresses are stored as they come.
 */
import { formatAddress, parseAddress } from '../pin-address/ip-address.ts';

/** The canonical text of an address, or null when the text is none. */
export function canonicalAddress(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  const octets = parseAddress(text);
  return octets === null ? null : formatAddress(octets);
}

/** Why a pod cannot have this address; null when it can. `text` is an address. */
export function whyNoPodAddress(text: string): string | null {
  const octets = parseAddress(text);
  if (octets === null) return 'address: none';
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
