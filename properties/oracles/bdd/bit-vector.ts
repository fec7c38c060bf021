/** Vectors of decision diagrams, most significant bit first: what a header field is when its bits are unknown. */
import { always, type Bdd, type Bdds, never } from './bdd.ts';

export type Bits = readonly Bdd[];

export function constantBits(bytes: ArrayLike<number>): Bdd[] {
  const bits: Bdd[] = [];
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] as number;
    for (let shift = 7; shift >= 0; shift -= 1) bits.push((byte >> shift) & 1 ? always : never);
  }
  return bits;
}

/** A number as `width` bits. */
export function numberBits(value: number | bigint, width: number): Bdd[] {
  const big = BigInt(value);
  return Array.from({ length: width }, (_, i) => ((big >> BigInt(width - 1 - i)) & 1n ? always : never));
}

/** The bytes, when no bit is unknown; else null. */
export function constantBytes(bits: Bits): number[] | null {
  const bytes: number[] = [];
  for (let i = 0; i < bits.length; i += 8) {
    let byte = 0;
    for (let j = i; j < i + 8; j += 1) {
      const bit = bits[j] as Bdd;
      if (bit > never) return null;
      byte = (byte << 1) | (bit === always ? 1 : 0);
    }
    bytes.push(byte);
  }
  return bytes;
}

/** The number, when no bit is unknown; else null. */
export function constantNumber(bits: Bits): bigint | null {
  let value = 0n;
  for (const bit of bits) {
    if (bit > never) return null;
    value = (value << 1n) | (bit === always ? 1n : 0n);
  }
  return value;
}

export function equalBits(bdds: Bdds, a: Bits, b: Bits): Bdd {
  const shorter = bdds.equal(a, b);
  if (shorter !== null) return shorter;
  let same: Bdd = always;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    same = bdds.and(same, bdds.xor(a[i] as Bdd, b[i] as Bdd) ^ 1);
    if (same === never) return never;
  }
  return same;
}

/** `a < b`, as unsigned numbers. */
export function lessBits(bdds: Bdds, a: Bits, b: Bits): Bdd {
  const shorter = bdds.less(a, b);
  if (shorter !== null) return shorter;
  let less: Bdd = never;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const x = a[i] as Bdd;
    const y = b[i] as Bdd;
    less = bdds.ite(bdds.xor(x, y), y, less);
  }
  return less;
}

/** `first ≤ a ≤ last`, as unsigned numbers. */
export function withinBits(bdds: Bdds, a: Bits, first: Bits, last: Bits): Bdd {
  const shorter = bdds.within(a, first, last);
  return shorter ?? bdds.and(lessBits(bdds, a, first) ^ 1, lessBits(bdds, last, a) ^ 1);
}

export function iteBits(bdds: Bdds, test: Bdd, then: Bits, otherwise: Bits): Bdd[] {
  return then.map((bit, i) => bdds.ite(test, bit, otherwise[i] as Bdd));
}

/** `a + b` modulo 2ⁿ. */
export function addBits(bdds: Bdds, a: Bits, b: Bits): Bdd[] {
  const sum = new Array<Bdd>(a.length);
  let carry: Bdd = never;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const x = a[i] as Bdd;
    const y = b[i] as Bdd;
    const half = bdds.xor(x, y);
    sum[i] = bdds.xor(half, carry);
    carry = bdds.ite(half, carry, x);
  }
  return sum;
}

/** Some bit is set. */
export function anyBit(bdds: Bdds, bits: Bits): Bdd {
  return bdds.any(bits);
}
