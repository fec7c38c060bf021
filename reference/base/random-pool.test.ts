/** A pool of random octets: nothing twice, no bias, wiped when given. */
import { describe, expect, test } from 'vitest';
import { RandomPool } from './random-pool.ts';

/** Counts upwards, octet by octet, so that each place of the pool is known by its value. */
function counting(): { readonly pool: RandomPool; fills(): number; inside(): Buffer } {
  let fills = 0;
  let inside: Buffer = Buffer.alloc(0);
  const pool = new RandomPool((octets) => {
    fills += 1;
    inside = octets;
    for (let at = 0; at < octets.length; at++) octets[at] = (at % 255) + 1;
  });
  return { pool, fills: () => fills, inside: () => inside };
}

describe('the pool', () => {
  test('never gives an octet twice, and wipes what it gave', () => {
    const { pool, inside } = counting();
    expect(pool.uint16()).toBe(0x0201);
    expect(pool.bytes(3)).toEqual(Uint8Array.of(3, 4, 5));
    expect(pool.uint16()).toBe(0x0706);
    expect([...inside().subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 8]);
  });

  test('is always filled again before it gives what it does not have', () => {
    const { pool, fills } = counting();
    for (let taken = 0; taken < 16_384; taken += 32) pool.bytes(32);
    expect(fills()).toBe(1);
    expect(pool.bytes(1)).toEqual(Uint8Array.of(1));
    expect(fills()).toBe(2);
  });

  test('never favours a small number: what is beyond the last whole multiple is drawn again', () => {
    const drawn = [65_535, 65_534, 7];
    const pool = new RandomPool((octets) => {
      for (const [index, value] of drawn.entries()) octets.writeUInt16LE(value, 2 * index);
    });
    // 65536 = 6553 × 10 + 6: 65530 to 65535 would favour 0 to 5.
    expect(pool.below(10)).toBe(7);
    expect(new RandomPool().below(1)).toBe(0);
  });

  test('of the system never repeats itself', () => {
    const [one, two] = [new RandomPool(), new RandomPool()];
    expect(one.bytes(32)).not.toEqual(two.bytes(32));
    expect(one.bytes(32)).not.toEqual(one.bytes(32));
  });
});
