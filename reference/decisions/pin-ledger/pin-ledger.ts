/**
 * pin-ledger: what is pinned in the kernel's sets, for every tap. One event in, kernel actions and outcomes
 * out; no clock, no I/O. It owns the rule that nothing is reported as pinned that the kernel has not
 * acknowledged, nor for longer than it lives.
 */

import type {
  LedgerAction,
  LedgerEvent,
  LedgerLimits,
  LedgerStep,
  PinOutcome,
  RequestedElement,
} from './ledger-events.ts';
import {
  type AddInFlight,
  actionKey,
  clampLife,
  type DeleteInFlight,
  dropPin,
  type Element,
  emptyState,
  emptyTap,
  type Family,
  familyOf,
  hasRoom,
  keyOf,
  type LedgerState,
  type Pin,
  promise,
  putPin,
  type SetsInFlight,
  settle,
  type TapPins,
  tapKey,
  type WantedElement,
} from './ledger-state.ts';
import { livesOf, notShorter } from './pin-lives.ts';

/**
 * One step. `state` is null at first; the one passed in is changed and handed back, never to be used again.
 * Total.
 */
export function stepLedger(limits: LedgerLimits, state: LedgerState | null, event: LedgerEvent): LedgerStep {
  const step = new Step(limits, state ?? emptyState());
  switch (event.kind) {
    case 'attach':
      return step.done(step.attach(event.tap));
    case 'detach':
      return step.done(step.detach(event.tap));
    case 'pin':
      return step.done(step.pin(event.tap, event.requestId, event.elements, event.nowMs));
    case 'acknowledged':
      return step.done(step.acknowledged(event.actionId, event.error, event.nowMs));
    case 'policy':
      return step.done(step.policy(event.tap, event.entries));
    case 'restart':
      return step.done(step.restart(event.attached, event.kernel, event.nowMs));
  }
}

/**
 * How often a set is asked to go before it is left to the next attach, which pins nothing until it is gone.
 */
const mostAttempts = 3;

class Step {
  readonly #limits: LedgerLimits;
  readonly #state: LedgerState;
  /** Made of what they hold: most steps say one thing, or nothing. */
  #actions: LedgerAction[] | null = null;
  #outcomes: PinOutcome[] | null = null;

  constructor(limits: LedgerLimits, state: LedgerState) {
    this.#limits = limits;
    this.#state = state;
  }

  done(rule: string): LedgerStep {
    return { state: this.#state, actions: this.#actions ?? [], outcomes: this.#outcomes ?? [], rule };
  }

  #act(action: LedgerAction): void {
    if (this.#actions === null) this.#actions = [action];
    else this.#actions.push(action);
  }

  #say(outcome: PinOutcome): void {
    if (this.#outcomes === null) this.#outcomes = [outcome];
    else this.#outcomes.push(outcome);
  }

  /** A new sandbox starts from sets that were made for it: whatever stood there goes first. */
  attach(tap: string, attempt = 1, policy: TapPins['policy'] = null): string {
    this.#forget(tap);
    this.#state.taps[tapKey(tap)] = { ...emptyTap(), policy };
    this.#deleteSet(tap, 'ipv4', attempt);
    this.#deleteSet(tap, 'ipv6', attempt);
    this.#createSets(tap, attempt);
    return 'fresh sets';
  }

  detach(tap: string): string {
    this.#forget(tap);
    delete this.#state.taps[tapKey(tap)];
    this.#deleteBoth(tap);
    return 'sets of both families deleted';
  }

  /** Requests of the sandbox that was on this tap end without a pin; late acknowledgements find nothing. */
  #forget(tap: string): void {
    for (const [key, action] of Object.entries(this.#state.inFlight)) {
      if (action.tap !== tap) continue;
      delete this.#state.inFlight[key];
      if (action.kind !== 'add') continue;
      this.#state.inFlight[key] = { kind: 'cancelled', tap: null };
      this.#refuse(action.requestId, action.wanted, 'the sandbox is gone');
    }
  }

  #own(tap: string): TapPins | undefined {
    return this.#state.taps[tapKey(tap)];
  }

  #deleteBoth(tap: string): void {
    this.#deleteSet(tap, 'ipv4', 1);
    this.#deleteSet(tap, 'ipv6', 1);
  }

  #deleteSet(tap: string, family: Family, attempt: number): void {
    const actionId = this.#actionId();
    this.#awaitSets(tap, actionId, family, attempt);
    this.#act({ kind: 'delete-set', actionId, tap, family });
  }

  #createSets(tap: string, attempt: number): void {
    const actionId = this.#actionId();
    this.#awaitSets(tap, actionId, null, attempt);
    this.#act({ kind: 'create-sets', actionId, tap });
  }

  #awaitSets(tap: string, actionId: string, family: Family | null, attempt: number): void {
    this.#state.inFlight[actionKey(actionId)] = { kind: 'sets', tap, family, attempt };
    const own = this.#own(tap);
    if (own !== undefined) own.settling += 1;
  }

  /** A set that was not there is gone all the same; any other failure is tried again, a few times. */
  #setsDone({ tap, family, attempt }: SetsInFlight, error: string | null): string {
    const own = this.#own(tap);
    if (error === null || error === 'ENOENT') {
      if (own !== undefined) own.settling -= 1;
      return 'sets are as they should be';
    }
    if (attempt >= mostAttempts) return `sets of ${tap}: ${error}, given up after ${attempt} attempts`;
    // All over again: a set that was made beside one that would not go is none of this sandbox's.
    if (own !== undefined) this.attach(tap, attempt + 1, own.policy);
    else if (family !== null) this.#deleteSet(tap, family, attempt + 1);
    return `sets of ${tap}: ${error}, tried again`;
  }

  pin(tap: string, requestId: string, requested: readonly RequestedElement[], nowMs: number): string {
    const own = this.#own(tap);
    if (own === undefined) return this.#refuse(requestId, requested, 'unknown tap');
    if (own.settling > 0) return this.#refuse(requestId, requested, 'the sets are not ready');
    if (this.#state.requests >= this.#limits.maxRequestsInFlight) {
      return this.#refuse(requestId, requested, 'too many requests in flight');
    }
    const { policy } = own;
    if (policy !== null && requested.some(({ entry }) => !policy.includes(entry))) {
      return this.#refuse(requestId, requested, 'an entry is not in the policy');
    }
    const wanted = clampLife(requested, this.#limits);
    const fresh = { ipv4: 0, ipv6: 0 };
    // One alone meets itself nowhere.
    const inBatch = wanted.length > 1 ? new Map<string, WantedElement>() : null;
    for (const element of wanted) {
      const { key, address } = element;
      const known = own.pins[key];
      // One that is on its way out is added again: the kernel works in order, so it stands after the delete.
      const standing = known !== undefined && !known.leaving;
      if (standing && known.leastExpiryMs >= nowMs + element.timeoutMs) continue;
      const same = inBatch?.get(key);
      const batchMs = notShorter(this.#limits, own, element, same, nowMs);
      if (same !== undefined) {
        same.batchMs = batchMs;
        continue;
      }
      if (!standing || known.mostExpiryMs <= nowMs) fresh[familyOf(address)] += 1;
      inBatch?.set(key, element);
      element.batchMs = batchMs;
    }
    if (!hasRoom(own, fresh, this.#limits.maxElementsPerSet, nowMs))
      return this.#refuse(requestId, requested, 'set full');
    let elements: (Element & { readonly timeoutMs: number })[] | null = null;
    for (const { key, address, protocol, port, batchMs } of wanted) {
      if (batchMs === null) continue;
      promise(own, key, batchMs);
      const lasting = { address, protocol, port, timeoutMs: batchMs };
      if (elements === null) elements = [lasting];
      else elements.push(lasting);
    }
    if (elements === null) return this.#report(own, requestId, wanted, nowMs);
    own.reserved.ipv4 += fresh.ipv4;
    own.reserved.ipv6 += fresh.ipv6;
    const actionId = this.#actionId();
    this.#state.requests += 1;
    this.#state.inFlight[actionKey(actionId)] = {
      kind: 'add',
      tap,
      requestId,
      issuedMs: nowMs,
      wanted,
      reserved: fresh,
      overtaken: false,
    };
    this.#act({ kind: 'add', actionId, tap, elements, refreshExpiration: true });
    return 'reserved, one batch';
  }

  acknowledged(actionId: string, error: string | null, nowMs: number): string {
    const action = this.#state.inFlight[actionKey(actionId)];
    if (action === undefined) return 'nobody waits for it';
    delete this.#state.inFlight[actionKey(actionId)];
    switch (action.kind) {
      case 'sets':
        return this.#setsDone(action, error);
      case 'cancelled':
        this.#state.requests -= 1;
        return 'sandbox gone';
      case 'delete':
        return this.#deleted(this.#own(action.tap) ?? emptyTap(), action, error);
      case 'add':
        return this.#addDone(this.#own(action.tap) ?? emptyTap(), action, error, nowMs);
    }
  }

  #addDone(own: TapPins, action: AddInFlight, error: string | null, nowMs: number): string {
    this.#state.requests -= 1;
    own.reserved.ipv4 -= action.reserved.ipv4;
    own.reserved.ipv6 -= action.reserved.ipv6;
    for (const { key, batchMs } of action.wanted) if (batchMs !== null) settle(own, key);
    if (error === 'ETIMEDOUT') this.#undo(own, action, nowMs);
    // Else the batch is atomic: nothing new stands, and what stood before stands as it did.
    if (error !== null) return this.#refuse(action.requestId, action.wanted, `kernel: ${error}`);
    return this.#added(own, action, nowMs);
  }

  /**
   * The answer fails: what is new in the batch goes, in case the kernel has it; what stood before may live
   * longer now.
   */
  #undo(own: TapPins, action: AddInFlight, nowMs: number): void {
    const isNew: string[] = [];
    for (const { key, address, protocol, port, batchMs: timeoutMs } of action.wanted) {
      if (timeoutMs === null) continue;
      const element = { address, protocol, port };
      const mostExpiryMs = nowMs + timeoutMs;
      const known = own.pins[key];
      if (known !== undefined && known.mostExpiryMs > nowMs) {
        known.mostExpiryMs = Math.max(known.mostExpiryMs, mostExpiryMs);
        continue;
      }
      putPin(own, key, { element, leastExpiryMs: 0, mostExpiryMs, entries: [], leaving: false });
      isNew.push(key);
    }
    if (isNew.length > 0) this.#issueDelete(action.tap, own, isNew);
  }

  #added(own: TapPins, action: AddInFlight, nowMs: number): string {
    const stale =
      action.overtaken || action.wanted.some(({ entry }) => own.policy?.includes(entry) === false);
    if (stale) {
      this.#undo(own, action, nowMs);
      return this.#refuse(action.requestId, action.wanted, 'the policy or the pins changed meanwhile');
    }
    for (const { key, address, protocol, port, entry, batchMs: timeoutMs } of action.wanted) {
      if (timeoutMs === null) continue;
      // What had expired before is not extended but pinned anew, by this entry alone.
      const before = own.pins[key];
      const known = before !== undefined && before.leastExpiryMs > action.issuedMs ? before : undefined;
      const leastExpiryMs = Math.max(known?.leastExpiryMs ?? 0, action.issuedMs + timeoutMs);
      const mostExpiryMs = Math.max(before?.mostExpiryMs ?? 0, nowMs + timeoutMs);
      if (known?.entries.includes(entry) === true) {
        known.leastExpiryMs = leastExpiryMs;
        known.mostExpiryMs = mostExpiryMs;
        known.leaving = false;
        continue;
      }
      const entries = [...new Set([...(known?.entries ?? []), entry])];
      const element = { address, protocol, port };
      putPin(own, key, { element, leastExpiryMs, mostExpiryMs, entries, leaving: false });
    }
    return this.#report(own, action.requestId, action.wanted, nowMs);
  }

  /** Pinned is what lives in the kernel at least so long; the answer may say no more. */
  #report(own: TapPins, requestId: string, wanted: readonly WantedElement[], nowMs: number): string {
    this.#say({ requestId, addresses: livesOf(own, wanted, nowMs), rule: 'acknowledged' });
    return 'acknowledged';
  }

  #refuse(requestId: string, elements: readonly Element[], rule: string): string {
    const addresses = [...new Set(elements.map(({ address }) => address))];
    this.#say({
      requestId,
      addresses: addresses.map((address) => ({ address, pinned: false, remainingSeconds: 0 })),
      rule,
    });
    return rule;
  }

  policy(tap: string, entries: readonly string[]): string {
    const own = this.#own(tap);
    if (own === undefined) return 'unknown tap';
    own.policy = [...entries];
    for (const pin of Object.values(own.pins))
      pin.entries = pin.entries.filter((entry) => entries.includes(entry));
    this.#delete(tap, own, (pin) => pin.entries.length === 0);
    return 'what no entry justifies goes';
  }

  #delete(tap: string, own: TapPins, leaves: (pin: Pin) => boolean): void {
    const keys = Object.entries(own.pins).flatMap(([key, pin]) => (!pin.leaving && leaves(pin) ? [key] : []));
    if (keys.length > 0) this.#issueDelete(tap, own, keys);
  }

  #issueDelete(tap: string, own: TapPins, keys: string[], attempt = 1): void {
    const elements: Element[] = [];
    const leaving = new Set(keys);
    for (const key of keys) {
      const pin = own.pins[key];
      if (pin === undefined) continue;
      pin.leaving = true;
      elements.push(pin.element);
    }
    for (const other of Object.values(this.#state.inFlight)) {
      if (other.kind !== 'add' || other.tap !== tap) continue;
      if (other.wanted.some(({ key, batchMs }) => batchMs !== null && leaving.has(key)))
        other.overtaken = true;
    }
    const actionId = this.#actionId();
    this.#state.inFlight[actionKey(actionId)] = { kind: 'delete', tap, keys, attempt };
    this.#act({ kind: 'delete', actionId, tap, elements });
  }

  #deleted(own: TapPins, action: DeleteInFlight, error: string | null): string {
    const { tap, keys, attempt } = action;
    if (error === null || (keys.length === 1 && error === 'ENOENT')) {
      for (const key of keys) if (own.pins[key]?.leaving === true) dropPin(own, key);
      return 'deleted';
    }
    if (attempt < mostAttempts) {
      // One that expired meanwhile fails the whole batch: each by itself then.
      const left = keys.filter((key) => own.pins[key]?.leaving === true);
      for (const key of left) this.#issueDelete(tap, own, [key], attempt + 1);
      return 'deleted one by one';
    }
    // The kernel will not let go of one element: the set goes, with every pin in it.
    this.attach(tap, 1, own.policy);
    return `delete of ${keys[0]} failed: sets made anew`;
  }

  /** The kernel's sets are all that is known. What belongs to no living sandbox goes. */
  restart(
    attached: readonly string[],
    kernel: readonly (Element & { readonly tap: string; readonly remainingMs: number })[],
    nowMs: number,
  ): string {
    Object.assign(this.#state, { ...emptyState(), nextAction: this.#state.nextAction });
    for (const tap of new Set(kernel.map((element) => element.tap))) {
      if (!attached.includes(tap)) this.#deleteBoth(tap);
    }
    for (const tap of attached) {
      const own = emptyTap();
      this.#state.taps[tapKey(tap)] = own;
      this.#createSets(tap, mostAttempts);
      for (const { address, protocol, port, remainingMs, tap: where } of kernel) {
        if (where !== tap) continue;
        const element = { address, protocol, port };
        const expiry = { leastExpiryMs: nowMs + remainingMs, mostExpiryMs: nowMs + remainingMs };
        putPin(own, keyOf(element), { element, ...expiry, entries: [], leaving: false });
      }
    }
    return 'rebuilt from the kernel';
  }

  #actionId(): string {
    const { nextAction } = this.#state;
    this.#state.nextAction += 1;
    return String(nextAction);
  }
}
