/**
 * Octets for messages that come by the thousand: they share one block of memory after another, since each by itself
 * would be an allocation outside the heap, which costs the garbage collector more than all that is done with it.
 * Invariant: no octet is given twice; a block is let go with the last message in it.
 */

const blockOctets = 65_536;
let block = new ArrayBuffer(blockOctets);
let used = 0;

/** Zeros. */
export function freshOctets(octets: number): Uint8Array {
  if (octets > blockOctets / 4) return new Uint8Array(octets);
  if (used + octets > blockOctets) {
    block = new ArrayBuffer(blockOctets);
    used = 0;
  }
  const bytes = new Uint8Array(block, used, octets);
  used += octets;
  return bytes;
}

/** The first `length` octets, as octets of their own. */
export function copyOctets(from: Uint8Array, length = from.length): Uint8Array {
  const copy = freshOctets(length);
  // What is as short as most messages is copied sooner than a call is made for it.
  if (length > 128) copy.set(length === from.length ? from : from.subarray(0, length));
  else for (let at = 0; at < length; at++) copy[at] = from[at] as number;
  return copy;
}
