/** What the tests of the pin ledger begin with: wishes, a ledger that is driven step by step, and outcomes. */
import type {
  LedgerAction,
  LedgerEvent,
  LedgerLimits,
  LedgerStep,
  RequestedElement,
} from './ledger-events.ts';
import type { LedgerState } from './ledger-state.ts';
import { stepLedger } from './pin-ledger.ts';

const limits = { ttlFloorSeconds: 30, ttlCeilingSeconds: 300, maxRequestsInFlight: 3 };
export const entry = 'a.test:443';
export const other = 'b.test:443';
export const wish = (address: string, changes: Partial<RequestedElement> = {}): RequestedElement => ({
  address,
  protocol: 'tcp',
  port: 443,
  ttlSeconds: 60,
  entry,
  ...changes,
});
export const elementOf = (address: string) => ({ address, protocol: 'tcp', port: 443 });
export const one = '1.1.1.1';
export const two = '1.1.1.2';

/** A ledger whose state passes through JSON at every step, with names for what the tests ask again and again. */
export class Ledger {
  state: LedgerState | null = null;
  readonly #limits: LedgerLimits;

  constructor(maxElementsPerSet = 2) {
    this.#limits = { ...limits, maxElementsPerSet };
  }

  step(event: LedgerEvent): LedgerStep {
    const step = stepLedger(
      this.#limits,
      JSON.parse(JSON.stringify(this.state)) as LedgerState | null,
      event,
    );
    this.state = step.state;
    return step;
  }

  attach(tap = 'tap0'): LedgerStep {
    return this.step({ kind: 'attach', tap, nowMs: 0 });
  }

  ready(tap = 'tap0'): this {
    for (const action of this.attach(tap).actions) this.ack(action);
    return this;
  }

  pin(requestId: string, elements: readonly RequestedElement[], nowMs = 0, tap = 'tap0'): LedgerStep {
    return this.step({ kind: 'pin', tap, requestId, elements, nowMs });
  }

  ack(
    action: Pick<LedgerAction, 'actionId'> | undefined,
    error: string | null = null,
    nowMs = 0,
  ): LedgerStep {
    return this.step({ kind: 'acknowledged', actionId: action?.actionId ?? 'none', error, nowMs });
  }

  /** Asked for and acknowledged. */
  pinned(elements: readonly RequestedElement[], nowMs = 0, ackMs = nowMs): this {
    for (const action of this.pin('first', elements, nowMs).actions) this.ack(action, null, ackMs);
    return this;
  }

  policy(entries: readonly string[], nowMs = 0): LedgerStep {
    return this.step({ kind: 'policy', tap: 'tap0', entries, nowMs });
  }

  get tap() {
    return this.state?.taps['tap tap0'];
  }
}

export const refused = (requestId: string, rule: string, ...addresses: string[]) => ({
  requestId,
  addresses: addresses.map((address) => ({ address, pinned: false, remainingSeconds: 0 })),
  rule,
});
export const acknowledged = (requestId: string, left: Readonly<Record<string, number>>) => ({
  requestId,
  addresses: Object.entries(left).map(([address, remainingSeconds]) => ({
    address,
    pinned: remainingSeconds > 0,
    remainingSeconds,
  })),
  rule: 'acknowledged',
});
export const tapDeletes = (from: number, tap = 'tap0') => [
  { kind: 'delete-set', actionId: String(from), tap, family: 'ipv4' },
  { kind: 'delete-set', actionId: String(from + 1), tap, family: 'ipv6' },
];
export const freshSets = (from: number, tap = 'tap0') => [
  ...tapDeletes(from, tap),
  { kind: 'create-sets', actionId: String(from + 2), tap },
];
