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
    expect(keyOf(element)).toBe('1.1.1.1 tcp 443');
    expect(keyOf({ ...element, protocol: 'udp' })).toBe('1.1.1.1 udp 443');
    expect(tapKey('tap0')).toBe('tap tap0');
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
