/**
 * The ledger step by step: names that mean something to JavaScript, sets that will not go, acknowledgements
 * that come twice.
 */
import { describe, expect, test } from 'vitest';
import type { LedgerEvent } from './ledger-events.ts';
import type { LedgerState } from './ledger-state.ts';
import { stepLedger } from './pin-ledger.ts';

const limits = { maxElementsPerSet: 4, ttlFloorSeconds: 30, ttlCeilingSeconds: 300, maxRequestsInFlight: 2 };
const element = (address: string) => ({
  address,
  protocol: 'tcp' as const,
  port: 443,
  ttlSeconds: 60,
  entry: 'a.test:443',
});

/** A ledger whose state passes through JSON at every step, as it does behind the protocol. */
function ledger() {
  let state: LedgerState | null = null;
  return (event: LedgerEvent) => {
    const step = stepLedger(limits, JSON.parse(JSON.stringify(state)) as LedgerState | null, event);
    state = step.state;
    return step;
  };
}

/** A ledger with one sandbox whose sets are there. */
function attached(tap: string) {
  const step = ledger();
  for (const { actionId } of step({ kind: 'attach', tap, nowMs: 0 }).actions) {
    step({ kind: 'acknowledged', actionId, error: null, nowMs: 0 });
  }
  return step;
}

const pin = (tap: string, requestId: string): LedgerEvent => ({
  kind: 'pin',
  tap,
  requestId,
  elements: [element(`1.1.1.${requestId.length}`)],
  nowMs: 0,
});

describe('names that mean something to JavaScript', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is never more than the name of a tap',
    (tap) => {
      const step = ledger();
      expect(step({ kind: 'policy', tap, entries: [], nowMs: 0 }).rule).toBe('unknown tap');
      expect(step(pin(tap, 'r')).outcomes).toMatchObject([{ rule: 'unknown tap' }]);
      expect(attached(tap)(pin(tap, 'r')).actions).toMatchObject([{ kind: 'add', tap }]);
      expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('policy');
    },
  );

  test('an acknowledgement that is called constructor never frees room for another request', () => {
    const step = attached('tap0');
    step(pin('tap0', 'r'));
    step(pin('tap0', 'rr'));
    for (let times = 0; times < 3; times++) {
      step({ kind: 'acknowledged', actionId: 'constructor', error: null, nowMs: 0 });
    }
    expect(step(pin('tap0', 'rrr')).outcomes).toMatchObject([{ rule: 'too many requests in flight' }]);
  });
});

describe('sets', () => {
  test('never hold a pin before they are made', () => {
    const step = ledger();
    step({ kind: 'attach', tap: 'tap0', nowMs: 0 });
    expect(step(pin('tap0', 'r')).outcomes).toMatchObject([{ rule: 'the sets are not ready' }]);
  });

  test('that will not go are asked again, and given up after three attempts', () => {
    const step = attached('tap0');
    let asked = step({ kind: 'detach', tap: 'tap0', nowMs: 0 }).actions;
    let deletions = asked.length;
    for (let rounds = 0; asked.length > 0 && rounds < 10; rounds++) {
      asked = asked.flatMap(
        ({ actionId }) => step({ kind: 'acknowledged', actionId, error: 'EBUSY', nowMs: 0 }).actions,
      );
      deletions += asked.length;
    }
    expect(deletions).toBe(6);
  });

  test('of a sandbox are made anew when one of them would not go, and nothing is pinned meanwhile', () => {
    const step = ledger();
    const [first] = step({ kind: 'attach', tap: 'tap0', nowMs: 0 }).actions;
    const again = step({
      kind: 'acknowledged',
      actionId: first?.actionId ?? '',
      error: 'EBUSY',
      nowMs: 0,
    }).actions;
    expect(again.map(({ kind }) => kind)).toEqual(['delete-set', 'delete-set', 'create-sets']);
    expect(step(pin('tap0', 'r')).outcomes).toMatchObject([{ rule: 'the sets are not ready' }]);
    for (const { actionId } of again) step({ kind: 'acknowledged', actionId, error: null, nowMs: 0 });
    expect(step(pin('tap0', 'r')).actions).toMatchObject([{ kind: 'add' }]);
  });
});

describe('an acknowledgement', () => {
  test('that comes twice never counts twice', () => {
    const step = attached('tap0');
    const [add] = step(pin('tap0', 'r')).actions;
    const ack: LedgerEvent = { kind: 'acknowledged', actionId: add?.actionId ?? '', error: null, nowMs: 5 };
    expect(step(ack).outcomes).toMatchObject([{ addresses: [{ pinned: true, remainingSeconds: 59.995 }] }]);
    expect(step(ack)).toMatchObject({ outcomes: [], rule: 'nobody waits for it' });
  });

  test('of a sandbox that is gone never pins anything for the next one', () => {
    const step = attached('tap0');
    const [add] = step(pin('tap0', 'r')).actions;
    const { outcomes } = step({ kind: 'detach', tap: 'tap0', nowMs: 1 });
    expect(outcomes).toMatchObject([{ requestId: 'r', addresses: [{ pinned: false }] }]);
    expect(
      step({ kind: 'acknowledged', actionId: add?.actionId ?? '', error: null, nowMs: 2 }).outcomes,
    ).toEqual([]);
  });
});
