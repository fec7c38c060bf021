/** Sets and sandboxes: what is made and deleted for them, in which order, and what a restart believes. */
import { describe, expect, test } from 'vitest';
import {
  acknowledged,
  elementOf,
  entry,
  freshSets,
  Ledger,
  one,
  refused,
  tapDeletes,
  two,
  wish,
} from './ledger-samples.ts';
import { emptyTap } from './ledger-state.ts';

describe('sets', () => {
  test('are always deleted, then made, before anything is pinned', () => {
    const ledger = new Ledger();
    const { actions, rule } = ledger.attach();
    expect({ actions, rule }).toEqual({ actions: freshSets(1), rule: 'fresh sets' });
    for (const action of actions) {
      expect(ledger.pin('r', [wish(one)]).outcomes).toEqual([refused('r', 'the sets are not ready', one)]);
      expect(ledger.ack(action)).toMatchObject({ actions: [], rule: 'sets are as they should be' });
    }
    expect(ledger.state).toEqual({
      taps: { 'tap tap0': emptyTap() },
      inFlight: {},
      requests: 0,
      nextAction: 4,
    });
    expect(ledger.pin('r', [wish(one)]).rule).toBe('reserved, one batch');
  });

  test('that were not there are gone all the same', () => {
    const ledger = new Ledger();
    for (const action of ledger.attach().actions) {
      const error = action.kind === 'delete-set' ? 'ENOENT' : null;
      expect(ledger.ack(action, error).rule).toBe('sets are as they should be');
    }
    expect(ledger.pin('r', [wish(one)]).rule).toBe('reserved, one batch');
  });

  test('of a sandbox that will not go are made anew, three attempts in all, and keep its policy', () => {
    const ledger = new Ledger();
    let { actions } = ledger.attach();
    ledger.policy([entry]);
    for (const attempt of [1, 2, 3]) {
      const first = actions[0];
      const step = ledger.ack(first, 'EBUSY');
      expect(ledger.tap?.policy).toEqual([entry]);
      if (attempt === 3) {
        expect(step).toMatchObject({ actions: [], rule: 'sets of tap0: EBUSY, given up after 3 attempts' });
      } else {
        const from = Number(first?.actionId) + 3;
        expect(step).toMatchObject({ actions: freshSets(from), rule: 'sets of tap0: EBUSY, tried again' });
        expect(ledger.ack(actions[1]).rule).toBe('nobody waits for it');
      }
      ({ actions } = step);
    }
    expect(ledger.pin('r', [wish(one)]).rule).toBe('the sets are not ready');
  });

  test('of a sandbox that is gone are deleted, each three times at most', () => {
    const ledger = new Ledger().ready();
    const { actions, rule } = ledger.step({ kind: 'detach', tap: 'tap0', nowMs: 0 });
    expect({ actions, rule }).toEqual({ actions: tapDeletes(4), rule: 'sets of both families deleted' });
    expect(ledger.state?.taps).toEqual({});
    expect(ledger.ack(actions[0]).rule).toBe('sets are as they should be');
    const again = ledger.ack(actions[1], 'EBUSY');
    const second = { kind: 'delete-set', actionId: '6', tap: 'tap0', family: 'ipv6' } as const;
    expect(again).toMatchObject({ actions: [second], rule: 'sets of tap0: EBUSY, tried again' });
    const third = { ...second, actionId: '7' };
    expect(ledger.ack(second, 'EBUSY').actions).toEqual([third]);
    expect(ledger.ack(third, 'EBUSY')).toMatchObject({
      actions: [],
      rule: 'sets of tap0: EBUSY, given up after 3 attempts',
    });
    expect(ledger.state?.inFlight).toEqual({});
  });
});

describe('a sandbox that is gone', () => {
  test('ends its own requests without a pin, and no other’s; their room is free once the kernel has spoken', () => {
    const ledger = new Ledger().ready().ready('tap1');
    const [mine] = ledger.pin('mine', [wish(one)]).actions;
    const [neighbour] = ledger.pin('other', [wish(one)], 0, 'tap1').actions;
    const [second] = ledger.pin('mine too', [wish(two)]).actions;
    const { outcomes } = ledger.step({ kind: 'detach', tap: 'tap0', nowMs: 0 });
    expect(outcomes).toEqual([
      refused('mine', 'the sandbox is gone', one),
      refused('mine too', 'the sandbox is gone', two),
    ]);
    expect(ledger.state?.requests).toBe(3);
    expect(ledger.ack(mine)).toMatchObject({ outcomes: [], rule: 'sandbox gone' });
    expect(ledger.state?.requests).toBe(2);
    expect(ledger.ack(second)).toMatchObject({ outcomes: [], rule: 'sandbox gone' });
    expect(ledger.state?.requests).toBe(1);
    expect(ledger.ack(neighbour).outcomes).toEqual([acknowledged('other', { [one]: 60 })]);
  });

  test('makes way for the next one, which never inherits a request', () => {
    const ledger = new Ledger().ready();
    const [add] = ledger.pin('r', [wish(one)]).actions;
    const step = ledger.attach();
    expect(step.outcomes).toEqual([refused('r', 'the sandbox is gone', one)]);
    for (const action of step.actions) ledger.ack(action);
    ledger.ack(add);
    expect(ledger.tap).toEqual(emptyTap());
  });
});

describe('a restart', () => {
  test('always believes the kernel for living sandboxes, and deletes the sets of all others, once each', () => {
    const ledger = new Ledger().ready('old');
    ledger.pin('lost', [wish(one)], 0, 'old');
    const kernel = [
      { tap: 'tap0', ...wish(one), remainingMs: 5_000 },
      { tap: 'tap1', ...wish(two), remainingMs: 6_000 },
      { tap: 'gone', ...wish(one), remainingMs: 7_000 },
      { tap: 'gone', ...wish(two), remainingMs: 7_000 },
    ];
    const { actions, outcomes, rule } = ledger.step({
      kind: 'restart',
      attached: ['tap0', 'tap1', 'tap2'],
      kernel,
      nowMs: 100,
    });
    expect({ outcomes, rule }).toEqual({ outcomes: [], rule: 'rebuilt from the kernel' });
    expect(actions).toEqual([
      ...tapDeletes(5, 'gone'),
      { kind: 'create-sets', actionId: '7', tap: 'tap0' },
      { kind: 'create-sets', actionId: '8', tap: 'tap1' },
      { kind: 'create-sets', actionId: '9', tap: 'tap2' },
    ]);
    const held = (address: string, expiryMs: number) => ({
      ...emptyTap(),
      settling: 1,
      count: { ipv4: 1, ipv6: 0 },
      pins: {
        [`${address} tcp 443`]: {
          element: elementOf(address),
          leastExpiryMs: expiryMs,
          mostExpiryMs: expiryMs,
          entries: [],
          leaving: false,
        },
      },
    });
    expect(ledger.state?.taps).toEqual({
      'tap tap0': held(one, 5_100),
      'tap tap1': held(two, 6_100),
      'tap tap2': { ...emptyTap(), settling: 1 },
    });
    expect(ledger.state).toMatchObject({ requests: 0, nextAction: 10 });
    expect(Object.keys(ledger.state?.inFlight ?? {})).toHaveLength(5);
  });

  test('whose sets cannot be made never pins anything, and never asks again', () => {
    const ledger = new Ledger();
    const { actions } = ledger.step({ kind: 'restart', attached: ['tap0'], kernel: [], nowMs: 0 });
    expect(ledger.ack(actions[0], 'EPERM')).toMatchObject({
      actions: [],
      rule: 'sets of tap0: EPERM, given up after 3 attempts',
    });
    expect(ledger.pin('r', [wish(one)]).rule).toBe('the sets are not ready');
  });
});
