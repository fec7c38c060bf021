/** Requests: what each asks of the kernel, what it reserves, what it is answered, and by which rule. */
import { describe, expect, test } from 'vitest';
import type { LedgerStep } from './ledger-events.ts';
import { acknowledged, elementOf, entry, Ledger, one, other, refused, two, wish } from './ledger-samples.ts';
import { emptyTap } from './ledger-state.ts';

const timeoutsOf = ({ actions }: LedgerStep) =>
  actions.flatMap((action) =>
    action.kind === 'add' ? action.elements.map(({ timeoutMs }) => timeoutMs) : [],
  );

describe('a request', () => {
  test('always reserves, then adds one batch, then is answered by the kernel’s word', () => {
    const ledger = new Ledger().ready();
    const six = '2001:db8::1';
    const { actions, outcomes, rule } = ledger.pin('r', [wish(one), wish(six, { ttlSeconds: 90 })], 10);
    expect({ outcomes, rule }).toEqual({ outcomes: [], rule: 'reserved, one batch' });
    expect(actions).toEqual([
      {
        kind: 'add',
        actionId: '4',
        tap: 'tap0',
        elements: [
          { ...elementOf(one), timeoutMs: 60_000 },
          { ...elementOf(six), timeoutMs: 90_000 },
        ],
        refreshExpiration: true,
      },
    ]);
    expect(ledger.tap?.reserved).toEqual({ ipv4: 1, ipv6: 1 });
    expect(ledger.state?.requests).toBe(1);
    expect(ledger.ack(actions[0], null, 20)).toMatchObject({
      actions: [],
      outcomes: [acknowledged('r', { [one]: 59.99, [six]: 89.99 })],
      rule: 'acknowledged',
    });
    const pin = (address: string, lifeMs: number) => ({
      element: elementOf(address),
      leastExpiryMs: 10 + lifeMs,
      mostExpiryMs: 20 + lifeMs,
      entries: [entry],
      leaving: false,
    });
    expect(ledger.tap).toEqual({
      ...emptyTap(),
      count: { ipv4: 1, ipv6: 1 },
      pins: { '1.1.1.1 tcp 443': pin(one, 60_000), '2001:db8::1 tcp 443': pin(six, 90_000) },
    });
    expect(ledger.state).toMatchObject({ inFlight: {}, requests: 0 });
  });

  test('that the kernel refuses never pins anything, and frees what it had reserved', () => {
    const ledger = new Ledger().ready();
    const six = '2001:db8::1';
    const [add] = ledger.pin('r', [wish(one), wish(one, { port: 80 }), wish(six)]).actions;
    const step = ledger.ack(add, 'ENFILE');
    expect(step).toMatchObject({
      actions: [],
      outcomes: [refused('r', 'kernel: ENFILE', one, six)],
      rule: 'kernel: ENFILE',
    });
    expect(ledger.tap).toEqual(emptyTap());
    expect(ledger.state).toMatchObject({ inFlight: {}, requests: 0 });
  });

  test('is always refused on a tap that nobody knows', () => {
    const step = new Ledger().pin('r', [wish(one), wish(two), wish(one, { port: 80 })]);
    expect(step).toMatchObject({ outcomes: [refused('r', 'unknown tap', one, two)], rule: 'unknown tap' });
  });

  test('is always refused beyond the bound of requests in flight', () => {
    const ledger = new Ledger(9).ready();
    const rules = [1, 2, 3, 4].map((last) => ledger.pin('r', [wish(`1.1.1.${last}`)]).rule);
    expect(rules).toEqual([...Array(3).fill('reserved, one batch'), 'too many requests in flight']);
  });

  test('is always refused whole when one of its entries is not in the policy', () => {
    const ledger = new Ledger().ready();
    expect(ledger.pin('before', [wish(one, { entry: other })]).rule).toBe('reserved, one batch');
    expect(ledger.policy([entry]).rule).toBe('what no entry justifies goes');
    const step = ledger.pin('r', [wish(one), wish(two, { entry: other })]);
    expect(step.outcomes).toEqual([refused('r', 'an entry is not in the policy', one, two)]);
    expect(ledger.pin('s', [wish(two)]).rule).toBe('reserved, one batch');
  });
});

describe('the answer to a request', () => {
  test('for what is pinned long enough is always answered at once', () => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    const step = ledger.pin('again', [wish(one, { entry: other })]);
    expect(step).toMatchObject({
      actions: [],
      outcomes: [acknowledged('again', { [one]: 60 })],
      rule: 'acknowledged',
    });
    // It is justified by both entries now, and by each once.
    ledger.pin('again', [wish(one)]);
    expect(Object.values(ledger.tap?.pins ?? {})).toMatchObject([{ entries: [entry, other] }]);
    expect(ledger.state?.inFlight).toEqual({});
  });

  test('for several ports of an address is always answered by the shortest life among them', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one, { ttlSeconds: 90 }), wish(one, { port: 80 })]).actions;
    expect(ledger.ack(add).outcomes).toEqual([acknowledged('r', { [one]: 60 })]);
    const again = new Ledger().ready();
    const [first] = again.pin('r', [wish(one), wish(one, { port: 80, ttlSeconds: 90 })]).actions;
    expect(again.ack(first).outcomes).toEqual([acknowledged('r', { [one]: 60 })]);
  });

  test('whose life is over before the kernel has spoken is never called pinned', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one)]).actions;
    expect(ledger.ack(add, null, 60_000).outcomes).toEqual([acknowledged('r', { [one]: 0 })]);
    const later = new Ledger().ready();
    const [slow] = later.pin('r', [wish(one)]).actions;
    expect(later.ack(slow, null, 90_000).outcomes).toEqual([acknowledged('r', { [one]: 0 })]);
  });
});

describe('room', () => {
  test('is always taken by what is on its way, once for each element', () => {
    const ledger = new Ledger().ready();
    expect(ledger.pin('r', [wish(one), wish(one, { entry: other })]).rule).toBe('reserved, one batch');
    expect(ledger.tap?.reserved).toEqual({ ipv4: 1, ipv6: 0 });
    expect(ledger.pin('s', [wish(two)]).rule).toBe('reserved, one batch');
    const step = ledger.pin('t', [wish('1.1.1.3')]);
    expect(step.outcomes).toEqual([refused('t', 'set full', '1.1.1.3')]);
    expect(ledger.pin('u', [wish('2001:db8::1'), wish('2001:db8::2')]).rule).toBe('reserved, one batch');
  });

  test('is never taken twice by an element that stands and is only extended', () => {
    const ledger = new Ledger().ready().pinned([wish(one), wish(two)]);
    const step = ledger.pin('r', [wish(one), wish(two)], 1);
    expect(step.rule).toBe('reserved, one batch');
    expect(ledger.tap?.reserved).toEqual({ ipv4: 0, ipv6: 0 });
  });

  test('is always needed by an element that has expired, also at that very moment', () => {
    for (const nowMs of [60_000, 60_001]) {
      const ledger = new Ledger().ready().pinned([wish(one)]);
      const step = ledger.pin('r', [wish(one), wish(two), wish('1.1.1.3')], nowMs);
      expect(step.rule).toBe('set full');
    }
  });

  test('is never freed by a refusal more than it was taken', () => {
    const ledger = new Ledger().ready();
    const adds = [one, two].flatMap((address) => ledger.pin(address, [wish(address)]).actions);
    ledger.ack(adds[0], 'EEXIST');
    expect(ledger.tap).toMatchObject({ reserved: { ipv4: 1 }, count: { ipv4: 0 } });
    ledger.ack(adds[1]);
    expect(ledger.tap).toMatchObject({ reserved: { ipv4: 0 }, count: { ipv4: 1 } });
  });
});

describe('the life that is asked of the kernel', () => {
  test('is never shorter than what stands there may have left', () => {
    const ledger = new Ledger().ready().pinned([wish(one)], 0, 5_000);
    expect(timeoutsOf(ledger.pin('r', [wish(one)], 1))).toEqual([64_999]);
  });

  test('is never shorter than that of a batch on its way', () => {
    const ledger = new Ledger().ready();
    ledger.pin('r', [wish(one)]);
    expect(timeoutsOf(ledger.pin('s', [wish(one, { ttlSeconds: 30 })]))).toEqual([60_000]);
  });

  test('is never shorter than that of another record in the same batch', () => {
    const ledger = new Ledger().ready();
    const step = ledger.pin('r', [wish(one), wish(one, { ttlSeconds: 30 }), wish(one, { ttlSeconds: 45 })]);
    expect(timeoutsOf(step)).toEqual([60_000]);
    const behind = new Ledger().ready().pin('r', [wish(two), wish(one), wish(one, { ttlSeconds: 30 })]);
    expect(timeoutsOf(behind)).toEqual([60_000, 60_000]);
  });

  test('is never that of another element of the batch', () => {
    const lives = [30, 300, 30].map((ttlSeconds, index) => wish(`1.1.1.${index}`, { ttlSeconds }));
    expect(timeoutsOf(new Ledger(3).ready().pin('r', lives))).toEqual([30_000, 300_000, 30_000]);
  });

  test('is never shorter than a promise that another batch has beside it', () => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    ledger.pin('longer', [wish(one, { ttlSeconds: 120 })], 1);
    // What stands long enough is in no batch of this request.
    const [add] = ledger.pin('beside', [wish(one, { ttlSeconds: 30 }), wish(two)], 2).actions;
    ledger.ack(add, null, 2);
    expect(timeoutsOf(ledger.pin('r', [wish(one, { ttlSeconds: 100 })], 3))).toEqual([120_000]);
  });

  test('is never longer than the ceiling', () => {
    const long = { ttlSeconds: 300 };
    const ledger = new Ledger().ready().pinned([wish(one, long)], 0, 5_000);
    expect(timeoutsOf(ledger.pin('r', [wish(one, long)], 1))).toEqual([300_000]);
  });

  test('is never long because of what has expired', () => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    expect(timeoutsOf(ledger.pin('r', [wish(one)], 100_000))).toEqual([60_000]);
  });
});

describe('an extended pin', () => {
  test('always lives the longer of both lives, and is justified by both entries', () => {
    const ledger = new Ledger().ready().pinned([wish(one)], 0, 5_000);
    const [add] = ledger.pin('r', [wish(one, { entry: other })], 1).actions;
    expect(ledger.ack(add, null, 2).outcomes).toEqual([acknowledged('r', { [one]: 64.998 })]);
    expect(Object.values(ledger.tap?.pins ?? {})).toEqual([
      {
        element: elementOf(one),
        leastExpiryMs: 65_000,
        mostExpiryMs: 65_001,
        entries: [entry, other],
        leaving: false,
      },
    ]);
    expect(ledger.tap?.count).toEqual({ ipv4: 1, ipv6: 0 });
  });

  test('never loses life to a batch that is heard of late', () => {
    const ledger = new Ledger().ready();
    const [long] = ledger.pin('r', [wish(one, { ttlSeconds: 300 })], 0).actions;
    const [short] = ledger.pin('s', [wish(one)], 1).actions;
    ledger.ack(short, null, 2);
    ledger.ack(long, null, 3);
    expect(Object.values(ledger.tap?.pins ?? {})).toMatchObject([
      { leastExpiryMs: 300_001, mostExpiryMs: 300_003 },
    ]);
  });

  test.each([
    ['had expired', 60_001],
    ['expired at that very moment', 60_000],
  ])('that %s when it was asked for is justified by the new entry alone', (_, nowMs) => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    const [add] = ledger.pin('r', [wish(one, { entry: other })], nowMs).actions;
    ledger.ack(add, null, nowMs);
    expect(Object.values(ledger.tap?.pins ?? {})).toMatchObject([
      { entries: [other], leastExpiryMs: nowMs + 60_000 },
    ]);
  });
});
