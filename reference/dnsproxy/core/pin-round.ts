/**
 * The pins of one round: asked of the ledger, done by the kernel in one batch, acknowledged to the ledger.
 * Invariant: the ledger alone knows what is pinned; an outcome is told only when the kernel has answered.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { PinPort } from '#reference/contract/pin-port.ts';
import type {
  LedgerAction,
  LedgerEvent,
  LedgerLimits,
  PinOutcome,
  RequestedElement,
} from '../../decisions/pin-ledger/ledger-events.ts';
import { type LedgerState, tapKey } from '../../decisions/pin-ledger/ledger-state.ts';
import { stepLedger } from '../../decisions/pin-ledger/pin-ledger.ts';

/** The ledger gives up sooner: this only bounds a ledger that errs. */
const maxConversations = 64;

export class PinRound<T> {
  readonly #port: PinPort;
  readonly #limits: LedgerLimits;
  readonly #clock: () => number;
  /** Seconds that every pin of the request surely lives; null: not one of them counts. */
  readonly #told: (request: T, remainingSeconds: number | null, rule: string) => void;
  /** By the number that is the request's ID; a number is used again when its request was told. */
  readonly #waiting: (T | undefined)[] = [];
  readonly #ids: string[] = [];
  readonly #free: number[] = [];
  #state: LedgerState | null = null;
  #actions: LedgerAction[] = [];

  constructor(
    port: PinPort,
    limits: LedgerLimits,
    clock: () => number,
    told: (request: T, remainingSeconds: number | null, rule: string) => void,
  ) {
    this.#port = port;
    this.#limits = limits;
    this.#clock = clock;
    this.#told = told;
  }

  /** Told at once when the ledger refuses, or when nothing has to be done; else by `settle`. */
  request(tap: string, elements: readonly RequestedElement[], request: T, nowMs: number): void {
    const place = this.#free.pop() ?? this.#ids.push(String(this.#ids.length)) - 1;
    this.#waiting[place] = request;
    this.#step({ kind: 'pin', tap, requestId: this.#ids[place] as string, elements, nowMs });
  }

  /** Has the kernel do what was asked for, until nothing is left to do. What it did not do for good. */
  settle(): { readonly tap: string; readonly error: string }[] {
    const failed: { tap: string; error: string }[] = [];
    for (let times = 0; this.#actions.length > 0 && times < maxConversations; times++) {
      const actions = this.#actions;
      this.#actions = [];
      const errors = this.#port.run(actions);
      const nowMs = this.#clock();
      for (let index = 0; index < actions.length; index++) {
        const { actionId, kind, tap } = actions[index] as LedgerAction;
        const error = errors[index] ?? null;
        const before = this.#actions.length;
        this.#step({ kind: 'acknowledged', actionId, error, nowMs });
        const isGivenUp = error !== null && kind !== 'add' && error !== 'ENOENT';
        if (isGivenUp && this.#actions.length === before) failed.push({ tap, error });
      }
    }
    return failed;
  }

  #step(event: LedgerEvent): void {
    const { state, actions, outcomes } = stepLedger(this.#limits, this.#state, event);
    this.#state = state;
    for (const action of actions) this.#actions.push(action);
    for (const outcome of outcomes) this.#tell(outcome);
  }

  #tell({ requestId, addresses, rule }: PinOutcome): void {
    const place = Number(requestId);
    const request = this.#waiting[place];
    if (request === undefined) return;
    this.#waiting[place] = undefined;
    this.#free.push(place);
    let leastSeconds: number | null = Number.POSITIVE_INFINITY;
    for (const { pinned, remainingSeconds } of addresses) {
      leastSeconds = pinned && leastSeconds !== null ? Math.min(leastSeconds, remainingSeconds) : null;
    }
    this.#told(request, addresses.length === 0 ? null : leastSeconds, rule);
  }

  /**
   * The sets of a new sandbox stand and are empty, and only these entries may pin.
   * @throws CodedError `no-sandbox`, `pins-refused`
   */
  attach(tap: string, entries: readonly string[]): void {
    this.#step({ kind: 'attach', tap, nowMs: this.#clock() });
    const failed = this.settle();
    this.#step({ kind: 'policy', tap, entries, nowMs: this.#clock() });
    if (this.#isReady(tap)) return;
    this.#step({ kind: 'detach', tap, nowMs: this.#clock() });
    this.settle();
    const error = failed.find((one) => one.tap === tap)?.error ?? 'unknown';
    if (error === 'ENODEV') {
      throw new CodedError(
        'no-sandbox',
        `no sets of pins stand for ${tap}`,
        'open the sandbox in the datapath first',
      );
    }
    throw refused(tap, error);
  }

  /** @throws CodedError `pins-refused`: until a change or attach succeeds, nothing is pinned there */
  change(tap: string, entries: readonly string[]): void {
    this.settle();
    this.#step({ kind: 'policy', tap, entries, nowMs: this.#clock() });
    const failed = this.settle();
    if (!this.#isReady(tap)) throw refused(tap, failed[0]?.error ?? 'unknown');
  }

  /** @throws CodedError `pins-refused` */
  detach(tap: string): void {
    this.settle();
    this.#step({ kind: 'detach', tap, nowMs: this.#clock() });
    const failed = this.settle().filter((one) => one.tap === tap);
    if (failed.length > 0) throw refused(tap, failed[0]?.error ?? 'unknown');
  }

  /** What an earlier proxy left is nobody's: no policy of today says why it stands. Taps that had some. */
  reconcile(): string[] {
    const kernel = this.#port.read();
    this.#step({ kind: 'restart', attached: [], kernel, nowMs: this.#clock() });
    const failed = this.settle();
    if (failed[0] !== undefined) throw refused(failed[0].tap, failed[0].error);
    return [...new Set(kernel.map(({ tap }) => tap))];
  }

  #isReady(tap: string): boolean {
    const own = this.#state?.taps[tapKey(tap)];
    return own !== undefined && own.settling === 0 && !Object.values(own.pins).some(({ leaving }) => leaving);
  }
}

function refused(tap: string, error: string): CodedError {
  return new CodedError(
    'pins-refused',
    `the kernel refused to empty the sets of pins of ${tap}: ${error}`,
    'see that the datapath stands and that NET_ADMIN is there; nothing is pinned there until it succeeds',
  );
}
