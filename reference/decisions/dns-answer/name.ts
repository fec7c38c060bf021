/**
 * Domain names as the wire has them: label after label, lower-cased (RFC 1035 section 2.3.3, RFC 4343).
 * Names are compared as bytes, so that a dot inside a label is never a boundary.
 */

import { copyOctets } from '#reference/base/octet-block.ts';
import type { KnownRest, NameIndex } from './name-index.ts';

/** Uncompressed wire form, ASCII letters lower-cased, the root's zero octet included; at most 255 octets. */
export type WireName = Uint8Array;

const maxNameOctets = 255;
const maxLabelOctets = 63;
const headerOctets = 12;
/** No honest name needs as many: it has 127 labels at most (RFC 9267). */
export const maxPointers = 255;

export interface NameAt {
  readonly name: WireName;
  /** Offset of the octet after the name where it stands, compressed or not. */
  readonly end: number;
  /** Pointers that were followed. */
  readonly pointers: number;
}

const scratch = new Uint8Array(maxNameOctets);

/**
 * Reads the name at `offset`. A pointer leads to a prior occurrence of a name (RFC 1035 section 4.1.4): strictly
 * backwards, so that no loop is possible, never into the header, and to labels that end before those begin which
 * led there.
 * Null when it is malformed: a label type that is none, too long, cut off, a pointer elsewhere, too many pointers.
 * @param index of this message: what it knows is not walked again
 */
export function readName(message: Uint8Array, offset: number, index: NameIndex | null = null): NameAt | null {
  let at = offset;
  let end = -1;
  let start = offset;
  let limit = message.length;
  let length = 0;
  let pointers = 0;
  if (index !== null) index.begin();
  for (;;) {
    if (at >= limit) return null;
    const octet = message[at] as number;
    if (octet >= 0xc0) {
      if (at + 1 >= limit) return null;
      const target = ((octet & 0x3f) << 8) | (message[at + 1] as number);
      if (target >= start || target < headerOctets) return null;
      pointers += 1;
      if (pointers > maxPointers) return null;
      if (end === -1) end = at + 2;
      if (index !== null) index.leave(at + 2);
      limit = start;
      start = target;
      at = target;
      continue;
    }
    if (index !== null) {
      if (index.knows(at)) {
        const rest = index.rest(at, start, limit, length, pointers);
        return rest === null ? null : joined(length, rest, end === -1 ? rest.end : end, index);
      }
      index.enter(at, length, pointers);
    }
    if (octet > maxLabelOctets || length + octet + 1 > maxNameOctets) return null;
    scratch[length] = octet;
    if (octet === 0) {
      const found = { name: copyOctets(scratch, length + 1), end: end === -1 ? at + 1 : end, pointers };
      if (index !== null) {
        index.leave(at + 1);
        index.add(found.name, pointers);
      }
      return found;
    }
    const last = at + octet;
    while (at < last) {
      at += 1;
      length += 1;
      const letter = message[at] as number;
      scratch[length] = letter >= 0x41 && letter <= 0x5a ? letter | 0x20 : letter;
    }
    length += 1;
    at += 1;
  }
}

/** So many octets that were read, and the rest that is known. */
function joined(
  length: number,
  { whole, skip, pointers }: KnownRest,
  end: number,
  index: NameIndex,
): NameAt | null {
  const octets = length + whole.length - skip;
  if (octets > maxNameOctets || pointers > maxPointers) return null;
  let name = whole;
  if (octets !== whole.length || length > 0) {
    for (let at = skip; at < whole.length; at++) scratch[length + at - skip] = whole[at] as number;
    name = copyOctets(scratch, octets);
  }
  index.add(name, pointers);
  return { name, end, pointers };
}

export function sameName(a: WireName, b: WireName): boolean {
  if (a === b) return true;
  // No name is the beginning of another: its root ends it.
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/**
 * Letters, digits, hyphen and underscore only, at least one label (RFC 952, RFC 1123; `_` as in RFC 8552).
 */
export function isHostName(name: WireName): boolean {
  if (name[0] === 0) return false;
  for (let at = 0; name[at] !== 0; at += (name[at] as number) + 1) {
    const length = name[at] as number;
    for (let index = at + 1; index <= at + length; index++) {
      const letter = name[index] as number;
      const fine =
        (letter >= 0x61 && letter <= 0x7a) ||
        (letter >= 0x30 && letter <= 0x39) ||
        letter === 0x2d ||
        letter === 0x5f;
      if (!fine) return false;
    }
  }
  return true;
}

const latin1 = Buffer.alloc(maxNameOctets + 2);

/**
 * A key for maps: one character an octet, length octets included, from `offset` to the root; with a number of 16 bits
 * behind the root, where one is given.
 */
export function nameKey(name: WireName, offset = 0, more = -1): string {
  // In one piece: a string that is put together letter by letter is as many objects.
  for (let at = 0; at < name.length; at++) latin1[at] = name[at] as number;
  if (more === -1) return latin1.toString('latin1', offset, name.length);
  latin1[name.length] = more >> 8;
  latin1[name.length + 1] = more;
  return latin1.toString('latin1', offset, name.length + 2);
}

/** The wire form of a host name in text, or null when it is none. */
export function parseHostName(text: string): WireName | null {
  const labels = text.replace(/\.$/, '').split('.');
  const octets: number[] = [];
  for (const label of labels) {
    // Judged before it is folded: toLowerCase makes ASCII of some letters that are none (the Kelvin sign).
    if (!/^[a-zA-Z0-9_-]{1,63}$/.test(label)) return null;
    octets.push(label.length, ...Array.from(label.toLowerCase(), (letter) => letter.charCodeAt(0)));
  }
  return octets.length + 1 > maxNameOctets ? null : Uint8Array.from([...octets, 0]);
}
