/** What leaves the sets: by a policy, by a deadline, one by one, and what the answers say meanwhile. */
import { describe, expect, test } from 'vitest';
import {
  acknowledged,
  elementOf,
  entry,
  freshSets,
  Ledger,
  one,
  other,
  refused,
  two,
  wish,
} from './ledger-samples.ts';
import { emptyTap, type LedgerState } from './ledger-state.ts';

describe('a batch of which nobody knows', () => {
  test('always takes what is new out again, and is answered as failed', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one), wish(one, { entry: other }), wish(two)]).actions;
    const step = ledger.ack(add, 'ETIMEDOUT', 5_000);
    expect(step).toMatchObject({
      actions: [{ kind: 'delete', actionId: '5', tap: 'tap0', elements: [elementOf(one), elementOf(two)] }],
      outcomes: [refused('r', 'kernel: ETIMEDOUT', one, two)],
    });
    const gone = { leastExpiryMs: 0, mostExpiryMs: 65_000, entries: [], leaving: true };
    expect(ledger.tap).toEqual({
      ...emptyTap(),
      count: { ipv4: 2, ipv6: 0 },
      pins: {
        '1.1.1.1 tcp 443': { element: elementOf(one), ...gone },
        '1.1.1.2 tcp 443': { element: elementOf(two), ...gone },
      },
    });
    expect(ledger.ack(step.actions[0])).toMatchObject({ actions: [], rule: 'deleted' });
    expect(ledger.tap).toEqual(emptyTap());
  });

  test('may have given a pin that stands a longer life, and never a shorter one', () => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    const [longer] = ledger.pin('r', [wish(one)], 1_000).actions;
    expect(ledger.ack(longer, 'ETIMEDOUT', 2_000).actions).toEqual([]);
    const pins = () => Object.values(ledger.tap?.pins ?? {});
    expect(pins()).toMatchObject([{ leastExpiryMs: 60_000, mostExpiryMs: 62_000, leaving: false }]);
  });

  test('never leaves a pin in place that had expired, also at that very moment', () => {
    for (const nowMs of [60_000, 70_000]) {
      const ledger = new Ledger().ready().pinned([wish(one)]);
      const [add] = ledger.pin('r', [wish(one)], 1_000).actions;
      const { actions } = ledger.ack(add, 'ETIMEDOUT', nowMs);
      expect(actions).toMatchObject([{ kind: 'delete', elements: [elementOf(one)] }]);
    }
  });

  test('never touches what it did not carry', () => {
    const ledger = new Ledger().ready().pinned([wish(one, { ttlSeconds: 300 })]);
    const [add] = ledger.pin('r', [wish(one), wish(two)], 1_000).actions;
    expect(ledger.ack(add, 'ETIMEDOUT', 2_000).actions).toMatchObject([{ elements: [elementOf(two)] }]);
    expect(ledger.tap?.pins['1.1.1.1 tcp 443']).toMatchObject({ mostExpiryMs: 300_000, leaving: false });
  });
});

describe('a policy', () => {
  test('is always unknown for a tap that nobody knows', () => {
    expect(new Ledger().policy([entry])).toMatchObject({ actions: [], rule: 'unknown tap' });
  });

  test('always takes away what none of its entries justifies, and only that', () => {
    const ledger = new Ledger().ready().pinned([wish(one), wish(two), wish(two, { entry: other })]);
    const step = ledger.policy([other]);
    expect(step).toMatchObject({
      actions: [{ kind: 'delete', actionId: '5', tap: 'tap0', elements: [elementOf(one)] }],
      rule: 'what no entry justifies goes',
    });
    expect(ledger.tap?.policy).toEqual([other]);
    expect(ledger.tap?.pins).toMatchObject({
      '1.1.1.1 tcp 443': { entries: [], leaving: true },
      '1.1.1.2 tcp 443': { entries: [other], leaving: false },
    });
    expect(ledger.policy([other]).actions).toEqual([]);
  });

  test('always overtakes the batch that carries what it takes away, and no other', () => {
    // One of the two that go is in the batch.
    const ledger = new Ledger(9)
      .ready()
      .ready('tap1')
      .pinned([wish(one), wish('1.1.1.9')]);
    const [carried] = ledger.pin('carried', [wish(one), wish('2001:db8::1')], 1).actions;
    const [apart] = ledger.pin('apart', [wish(two)], 1).actions;
    const [elsewhere] = ledger.pin('elsewhere', [wish(one)], 1, 'tap1').actions;
    ledger.policy([other]);
    ledger.policy([entry, other]);
    const rule = 'the policy or the pins changed meanwhile';
    const step = ledger.ack(carried, null, 2);
    expect(step.outcomes).toEqual([refused('carried', rule, one, '2001:db8::1')]);
    expect(step).toMatchObject({ rule, actions: [{ kind: 'delete', elements: [elementOf('2001:db8::1')] }] });
    expect(ledger.ack(apart, null, 2).outcomes).toEqual([acknowledged('apart', { [two]: 59.999 })]);
    expect(ledger.ack(elsewhere, null, 2).outcomes).toEqual([acknowledged('elsewhere', { [one]: 59.999 })]);
  });

  test('always undoes a batch of which one entry is not in it any more', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one), wish(two, { entry: other })]).actions;
    ledger.policy([entry]);
    const rule = 'the policy or the pins changed meanwhile';
    expect(ledger.ack(add)).toMatchObject({
      actions: [{ kind: 'delete', elements: [elementOf(one), elementOf(two)] }],
      outcomes: [refused('r', rule, one, two)],
      rule,
    });
  });

  test('never undoes a batch whose entries are all in it', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one)]).actions;
    ledger.policy([other, entry]);
    expect(ledger.ack(add).rule).toBe('acknowledged');
  });
});

describe('a delete', () => {
  /** Two pins on their way out. */
  function leaving(maxElementsPerSet = 2) {
    const ledger = new Ledger(maxElementsPerSet).ready().pinned([wish(one), wish(two)]);
    const [action] = ledger.policy([]).actions;
    return { ledger, action };
  }

  test('always frees its room once it is done', () => {
    const { ledger, action } = leaving();
    expect(ledger.pin('r', [wish('1.1.1.3', { entry: other })]).rule).toBe('an entry is not in the policy');
    expect(ledger.ack(action)).toMatchObject({ actions: [], rule: 'deleted' });
    expect(ledger.tap).toEqual({ ...emptyTap(), policy: [] });
  });

  test('that fails is always asked for each element by itself, whose absence is success then', () => {
    const { ledger, action } = leaving();
    const step = ledger.ack(action, 'ENOENT');
    expect(step).toMatchObject({
      actions: [
        { kind: 'delete', actionId: '6', elements: [elementOf(one)] },
        { kind: 'delete', actionId: '7', elements: [elementOf(two)] },
      ],
      rule: 'deleted one by one',
    });
    expect(ledger.ack(step.actions[0], 'ENOENT').rule).toBe('deleted');
    expect(Object.keys(ledger.tap?.pins ?? {})).toEqual(['1.1.1.2 tcp 443']);
  });

  test('that fails a third time always makes the sets anew, and keeps the policy', () => {
    const { ledger, action } = leaving();
    const [first, second] = ledger.ack(action, 'EBUSY').actions;
    expect(ledger.ack(first, 'EBUSY')).toMatchObject({
      actions: [{ kind: 'delete', actionId: '8', elements: [elementOf(one)] }],
      rule: 'deleted one by one',
    });
    const step = ledger.ack({ actionId: '8' }, 'EBUSY');
    expect(step).toMatchObject({
      actions: freshSets(9),
      rule: 'delete of 1.1.1.1 tcp 443 failed: sets made anew',
    });
    expect(ledger.tap).toEqual({ ...emptyTap(), settling: 3, policy: [] });
    expect(ledger.ack(second).rule).toBe('nobody waits for it');
  });

  test('never takes away what was added again meanwhile, nor asks for it again', () => {
    const { ledger, action } = leaving(3);
    ledger.policy([entry]);
    const [add] = ledger.pin('r', [wish(one)]).actions;
    expect(ledger.ack(add).outcomes).toEqual([acknowledged('r', { [one]: 60 })]);
    const step = ledger.ack(action, 'EBUSY');
    expect(step.actions).toMatchObject([{ kind: 'delete', elements: [elementOf(two)] }]);
    const done = leaving(3);
    done.ledger.policy([entry]);
    const [again] = done.ledger.pin('r', [wish(one)]).actions;
    done.ledger.ack(again);
    done.ledger.ack(done.action);
    expect(Object.keys(done.ledger.tap?.pins ?? {})).toEqual(['1.1.1.1 tcp 443']);
  });

  test('always needs room for what is added again behind it, though it lives long enough', () => {
    const { ledger } = leaving();
    ledger.policy([entry]);
    const step = ledger.pin('r', [wish(one)]);
    expect(step.rule).toBe('set full');
    const roomy = new Ledger().ready().pinned([wish(one)]);
    roomy.policy([]);
    roomy.policy([entry]);
    expect(roomy.pin('r', [wish(one)])).toMatchObject({
      rule: 'reserved, one batch',
      actions: [{ kind: 'add' }],
    });
    expect(roomy.tap?.reserved).toEqual({ ipv4: 1, ipv6: 0 });
  });

  test('of a sandbox that is gone is never heard of', () => {
    const { ledger, action } = leaving();
    ledger.step({ kind: 'detach', tap: 'tap0', nowMs: 0 });
    expect(ledger.ack(action, 'EBUSY')).toMatchObject({ actions: [], rule: 'nobody waits for it' });
  });
});

describe('a pin that is gone', () => {
  test('while an answer waited that had found it alive is never reported as pinned', () => {
    const ledger = new Ledger().ready().pinned([wish(one, { ttlSeconds: 300, entry: other })]);
    const [add] = ledger.pin('r', [wish(one), wish(two)], 1).actions;
    const [removal] = ledger.policy([entry], 1).actions;
    ledger.ack(removal, null, 1);
    expect(ledger.ack(add, null, 2).outcomes).toEqual([acknowledged('r', { [one]: 0, [two]: 59.999 })]);
    expect(Object.keys(ledger.tap?.pins ?? {})).toEqual(['1.1.1.2 tcp 443']);
  });

  test.each([
    [null, 'deleted'],
    ['EBUSY', 'deleted one by one'],
  ])('by its time before its delete was heard of is never asked for again: %s', (error, rule) => {
    const ledger = new Ledger().ready().pinned([wish(one), wish(two)]);
    const [removal] = ledger.policy([]).actions;
    ledger.policy([entry]);
    expect(ledger.pin('r', [wish('1.1.1.3')], 100_000).rule).toBe('reserved, one batch');
    expect(ledger.ack(removal, error, 100_000)).toMatchObject({ actions: [], rule });
  });
});

describe('a pin on its way out', () => {
  test('is never reported as pinned', () => {
    const ledger = new Ledger().ready().pinned([wish(one)]);
    const [add] = ledger.pin('r', [wish(one), wish(two)], 1).actions;
    const key = '1.1.1.1 tcp 443';
    const state = ledger.state as LedgerState;
    const pin = state.taps['tap tap0']?.pins[key];
    if (pin !== undefined) pin.leaving = true;
    const inFlight = state.inFlight['5'];
    const inBatch =
      inFlight?.kind === 'add' ? inFlight.wanted.find((element) => element.key === key) : undefined;
    if (inBatch !== undefined) inBatch.batchMs = null;
    expect(ledger.ack(add, null, 2).outcomes).toEqual([acknowledged('r', { [one]: 0, [two]: 59.999 })]);
  });
});
