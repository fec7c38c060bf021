/** What the ledger counts: pins per family, batches on their way, and the room that is left. */
import { describe, expect, test } from 'vitest';
import {
  actionKey,
  clampLife,
  dropPin,
  emptyState,
  emptyTap,
  familyOf,
  hasRoom,
  keyOf,
  type Pin,
  promise,
  putPin,
  settle,
  type TapPins,
  tapKey,
} from './ledger-state.ts';

const pinOf = (address: string, mostExpiryMs = 1_000): Pin => ({
  element: { address, protocol: 'tcp', port: 443 },
  leastExpiryMs: 0,
  mostExpiryMs,
  entries: [],
  leaving: false,
});
const four = pinOf('1.1.1.1');
const six = pinOf('2001:db8::1');

/** A tap with these pins, each under its address. */
function holding(...pins: readonly Pin[]): TapPins {
  const own = emptyTap();
  for (const pin of pins) putPin(own, pin.element.address, pin);
  return own;
}

describe('keys', () => {
  test('always tell elements, taps and actions apart by every part of their name', () => {
    const { element } = four;
    // What is made once is found the second time.
    for (const _ of ['made', 'found']) {
      expect(keyOf(element)).toBe('1.1.1.1 tcp 443');
      expect(keyOf({ ...element, protocol: 'udp' })).toBe('1.1.1.1 udp 443');
      expect(keyOf({ ...element, port: 80 })).toBe('1.1.1.1 tcp 80');
      expect(keyOf({ ...element, address: '::' })).toBe(':: tcp 443');
      expect(['tap0', 'tap1', '__proto__'].map(tapKey)).toEqual(['tap tap0', 'tap tap1', 'tap __proto__']);
    }
    expect(['1', '90', '__proto__', 'constructor', '', ':', '/'].map(actionKey)).toEqual([
      ...['1', '90', 'action __proto__', 'action constructor', 'action ', 'action :', 'action /'],
    ]);
  });

  test('always tell the family by the colon that only IPv6 has', () => {
    expect(familyOf('1.1.1.1')).toBe('ipv4');
    expect(familyOf('::')).toBe('ipv6');
  });
});

describe('an empty ledger', () => {
  test('never holds anything, and numbers its actions from 1', () => {
    expect(emptyState()).toEqual({ taps: {}, inFlight: {}, requests: 0, nextAction: 1 });
    expect(emptyTap()).toEqual({
      settling: 0,
      pins: {},
      count: { ipv4: 0, ipv6: 0 },
      expiries: null,
      reserved: { ipv4: 0, ipv6: 0 },
      promised: {},
      policy: null,
    });
  });
});

describe('the count of a family', () => {
  test('always grows with a new pin of that family, and only with a new one', () => {
    const own = holding(four, six);
    expect(own.count).toEqual({ ipv4: 1, ipv6: 1 });
    putPin(own, '1.1.1.1', pinOf('1.1.1.1', 2_000));
    expect(own.count).toEqual({ ipv4: 1, ipv6: 1 });
    expect(own.pins['1.1.1.1']?.mostExpiryMs).toBe(2_000);
  });

  test('always shrinks with a pin that goes, and only with one that was there', () => {
    const own = holding(four, six);
    dropPin(own, '2001:db8::1');
    expect(own.count).toEqual({ ipv4: 1, ipv6: 0 });
    expect(Object.keys(own.pins)).toEqual(['1.1.1.1']);
    dropPin(own, '2001:db8::1');
    expect(own.count).toEqual({ ipv4: 1, ipv6: 0 });
  });
});

describe('a promise', () => {
  test('is always the longest life of the batches on their way', () => {
    const own = emptyTap();
    promise(own, 'key', 30);
    promise(own, 'key', 60);
    promise(own, 'key', 45);
    expect(own.promised).toEqual({ key: { timeoutMs: 60, batches: 3 } });
  });

  test('is kept until the last of its batches is heard of', () => {
    const own = emptyTap();
    promise(own, 'key', 30);
    promise(own, 'key', 60);
    settle(own, 'key');
    expect(own.promised).toEqual({ key: { timeoutMs: 60, batches: 1 } });
    settle(own, 'key');
    expect(own.promised).toEqual({});
    settle(own, 'key');
    expect(own.promised).toEqual({});
  });
});

describe('room', () => {
  const none = { ipv4: 0, ipv6: 0 };
  const nowMs = 500;

  test.each([
    ['one more of a set that is not full', [four], { ipv4: 1, ipv6: 0 }, 2, true],
    ['one more than the bound', [four], { ipv4: 2, ipv6: 0 }, 2, false],
    ['one more IPv6 than the bound', [six], { ipv4: 0, ipv6: 2 }, 2, false],
    ['as many as the bound of each family', [four, six], { ipv4: 1, ipv6: 1 }, 2, true],
    ['nothing more in a full set', [four, six], none, 1, true],
  ])('always is what it is for %s', (_, pins, fresh, most, expected) => {
    expect(hasRoom(holding(...pins), fresh, most, nowMs)).toBe(expected);
  });

  test('is always taken by what is reserved', () => {
    const own = holding(four);
    own.reserved.ipv4 = 1;
    expect(hasRoom(own, { ipv4: 1, ipv6: 0 }, 2, nowMs)).toBe(false);
    expect(hasRoom(own, { ipv4: 1, ipv6: 0 }, 3, nowMs)).toBe(true);
  });

  test('is made by what has surely expired, and by nothing else', () => {
    const own = holding(pinOf('1.1.1.1', nowMs), pinOf('1.1.1.2', nowMs + 1), pinOf('2001:db8::1', nowMs));
    expect(hasRoom(own, { ipv4: 1, ipv6: 0 }, 2, nowMs)).toBe(true);
    expect(Object.keys(own.pins)).toEqual(['1.1.1.2']);
    expect(hasRoom(own, { ipv4: 2, ipv6: 0 }, 2, nowMs)).toBe(false);
    expect(hasRoom(own, { ipv4: 0, ipv6: 2 }, 1, nowMs)).toBe(false);
  });

  test('is never made while there is enough: what expired stays until its room is needed', () => {
    const own = holding(pinOf('1.1.1.1', nowMs));
    expect(hasRoom(own, { ipv4: 1, ipv6: 0 }, 2, nowMs)).toBe(true);
    expect(Object.keys(own.pins)).toEqual(['1.1.1.1']);
  });

  test('is never made by an element that a batch on its way may keep alive', () => {
    const own = holding(pinOf('1.1.1.1', nowMs));
    promise(own, '1.1.1.1', 1_000);
    expect(hasRoom(own, { ipv4: 1, ipv6: 0 }, 1, nowMs)).toBe(false);
    expect(own.count).toEqual({ ipv4: 1, ipv6: 0 });
  });
});

describe('a full set', () => {
  const one = { ipv4: 1, ipv6: 0 };
  const most = 1_000;

  /** `most` pins, one of which expires at each millisecond from 1,000 on; and how often a pin was looked up. */
  function full() {
    const addresses = Array.from({ length: most }, (_, index) => `1.1.${index >> 8}.${index & 255}`);
    const own = holding(...addresses.map((address, index) => pinOf(address, 1_000 + index)));
    const looked = { up: 0, atAll: 0 };
    own.pins = new Proxy(own.pins, {
      get(pins, key) {
        looked.up += 1;
        return Reflect.get(pins, key);
      },
      ownKeys(pins) {
        looked.atAll += 1;
        return Reflect.ownKeys(pins);
      },
    });
    expect(hasRoom(own, one, most, 999)).toBe(false);
    expect(looked).toEqual({ up: most, atAll: 1 });
    Object.assign(looked, { up: 0, atAll: 0 });
    return { own, addresses, looked };
  }

  test('is never searched for room while nothing in it has expired', () => {
    const { own, looked } = full();
    for (let times = 0; times < 1_000; times++) expect(hasRoom(own, one, most, 999)).toBe(false);
    expect(looked).toEqual({ up: 0, atAll: 0 });
  });

  test('never costs more than what expires in it, though every request takes the room that one leaves', () => {
    const { own, addresses, looked } = full();
    for (const [index, address] of addresses.entries()) {
      expect(hasRoom(own, one, most, 1_000 + index)).toBe(true);
      expect(own.pins[address]).toBeUndefined();
      putPin(own, `next ${index}`, pinOf(address, 2_000 + index));
      expect(hasRoom(own, one, most, 1_000 + index)).toBe(false);
    }
    // Once to see it, once to drop it, once for the test, once to put the next.
    expect(looked).toEqual({ up: 4 * most, atAll: 0 });
    expect(own.count.ipv4).toBe(most);
    // What was put meanwhile expires like what stood before.
    expect(hasRoom(own, { ipv4: most, ipv6: 0 }, most, 1_999 + most)).toBe(true);
    expect(own.count.ipv4).toBe(0);
  });

  test('is looked at as a whole again after a delete, once, and never takes what is gone for expired', () => {
    const { own, addresses, looked } = full();
    dropPin(own, addresses[0] as string);
    expect(own.count.ipv4).toBe(most - 1);
    for (const fresh of [2, 2, 2]) expect(hasRoom(own, { ipv4: fresh, ipv6: 0 }, most, 1_000)).toBe(false);
    expect(looked).toEqual({ up: most, atAll: 1 });
    expect(own.count.ipv4).toBe(most - 1);
  });

  test('never drops a pin that was extended before its new life is over', () => {
    const { own, addresses, looked } = full();
    const extended = addresses.slice(0, 10);
    for (const address of extended) (own.pins[address] as Pin).mostExpiryMs = 5_000;
    looked.up = 0;
    for (const _ of [1, 2, 3]) expect(hasRoom(own, one, most, 1_009)).toBe(false);
    expect(looked).toEqual({ up: extended.length, atAll: 0 });
    expect(hasRoom(own, one, most, 4_999)).toBe(true);
    expect(Object.keys(own.pins)).toEqual(extended);
    expect(hasRoom(own, { ipv4: 1_000, ipv6: 0 }, most, 5_000)).toBe(true);
    expect(own.pins).toEqual({});
  });

  test('always has room once the batch is heard of that might have kept an expired element alive', () => {
    const { own, addresses } = full();
    for (const key of addresses.slice(0, 3)) promise(own, key, 1_000);
    for (const nowMs of [1_000, 1_002]) expect(hasRoom(own, one, most, nowMs)).toBe(false);
    settle(own, addresses[1] as string);
    expect(hasRoom(own, one, most, 1_002)).toBe(true);
    expect(own.pins[addresses[1] as string]).toBeUndefined();
    expect(own.expiries).toHaveLength(most - 1);
  });

  test('is never told of a pin twice', () => {
    const { own, addresses } = full();
    putPin(own, addresses[0] as string, pinOf(addresses[0] as string, 2_000));
    expect(own.expiries).toHaveLength(most);
  });
});

describe('the life of an element', () => {
  test('is always within floor and ceiling, in milliseconds', () => {
    const asked = [0, 30, 61.5, 300, 2 ** 31 - 1].map((ttlSeconds) => ({
      ...four.element,
      entry: 'a.test:443',
      ttlSeconds,
    }));
    const lives = clampLife(asked, { ttlFloorSeconds: 30, ttlCeilingSeconds: 300 });
    expect(lives.map(({ timeoutMs }) => timeoutMs)).toEqual([30_000, 30_000, 61_500, 300_000, 300_000]);
    const inState = { key: keyOf(four.element), batchMs: null };
    expect(lives[0]).toEqual({ ...four.element, ...inState, entry: 'a.test:443', timeoutMs: 30_000 });
  });
});
