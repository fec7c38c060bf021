/**
 * Runs a subject's pin-ledger as the proxy would: hands it events, carries its actions to the kernel model
 * in order, and brings the acknowledgements back now, late, twice or never.
 */
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { pinLedger } from '../protocol/pin-ledger.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Pin, PinOutcome } from './dns-session.ts';
import { type KernelOptions, NftSets } from './nft-sets.ts';

export type LedgerConfig = ConfigOf<typeof pinLedger>;
type Event = InputOf<typeof pinLedger>['event'];
export type Outcome = OutputOf<typeof pinLedger>['outcomes'][number] & { readonly atMs: number };

interface Acknowledgement {
  readonly kind: string;
  readonly actionId: string;
  readonly error: string | null;
}

/** A ledger that answers events with ever more actions is cut off here. */
const longestExchange = 10_000;

export class LedgerHost {
  readonly kernel: NftSets;
  readonly #decide: (input: InputOf<typeof pinLedger>) => OutputOf<typeof pinLedger>;
  #state: unknown = null;
  /** Actions that were acknowledged once. */
  readonly #heard = new Set<string>();
  /** Acknowledgements that are on their way. */
  pending: Acknowledgement[] = [];
  /** Whether acknowledgements arrive at once. */
  prompt = true;
  nowMs = 1_000;
  readonly outcomes: Outcome[] = [];
  readonly attached = new Set<string>();
  /** Requests by id: when they were made, for what. */
  readonly requests = new Map<
    string,
    { readonly tap: string; readonly elements: readonly Pin[]; readonly atMs: number }
  >();

  constructor(subject: Subject, config: LedgerConfig, kernel: KernelOptions) {
    this.kernel = new NftSets(kernel);
    this.#decide = subject.decide('pin-ledger', config);
  }

  send(event: Event): void {
    if (event.kind === 'pin') {
      this.requests.set(event.requestId, { tap: event.tap, elements: event.elements, atMs: this.nowMs });
    }
    this.#step(event);
    if (!this.prompt) return;
    for (let count = 0; this.pending.length > 0; count++) {
      if (count > longestExchange)
        throw new Error('the ledger answers every acknowledgement with another action');
      this.deliver(0);
    }
  }

  #step(event: Event): void {
    const { state, actions, outcomes } = this.#decide({ state: this.#state, event });
    this.#state = state;
    for (const action of actions) {
      const error = this.kernel.apply(action, this.nowMs);
      this.pending.push({ kind: action.kind, actionId: action.actionId, error });
    }
    for (const outcome of outcomes) this.outcomes.push({ ...outcome, atMs: this.nowMs });
  }

  /** Brings one acknowledgement in. */
  deliver(index: number): void {
    const [acknowledgement] = this.pending.splice(index % Math.max(1, this.pending.length), 1);
    if (acknowledgement === undefined) return;
    const { actionId, error } = acknowledgement;
    this.#heard.add(actionId);
    this.#step({ kind: 'acknowledged', actionId, error, nowMs: this.nowMs });
  }

  /** Batches of pins whose acknowledgement has not come in. */
  waitingAdds(): number {
    const waiting = this.pending.filter(({ kind, actionId }) => kind === 'add' && !this.#heard.has(actionId));
    return new Set(waiting.map(({ actionId }) => actionId)).size;
  }

  /** A set that the kernel would not delete or make, of which the ledger has not heard yet. */
  hasUnheardSetFailure(): boolean {
    const failed = (error: string | null) => error !== null && error !== 'ENOENT';
    return this.pending.some(({ kind, error }) => /set/.test(kind) && failed(error));
  }

  /** The caller's deadline passes before an acknowledgement: nobody knows what became of the action. */
  timeOut(): void {
    const lost = this.pending.shift();
    if (lost === undefined) return;
    this.#heard.add(lost.actionId);
    this.#step({ kind: 'acknowledged', actionId: lost.actionId, error: 'ETIMEDOUT', nowMs: this.nowMs });
  }

  attach(tap: string): void {
    this.attached.add(tap);
    this.send({ kind: 'attach', tap, nowMs: this.nowMs });
  }

  detach(tap: string): void {
    this.attached.delete(tap);
    this.send({ kind: 'detach', tap, nowMs: this.nowMs });
  }

  /** kill -9: what was on its way is lost, what is in the kernel stays. */
  restart(): void {
    this.#state = null;
    this.pending = [];
    this.#heard.clear();
    const kernel = this.kernel.elements(this.nowMs).map(({ expiresMs, ...element }) => ({
      ...element,
      remainingMs: expiresMs - this.nowMs,
    }));
    this.send({ kind: 'restart', attached: [...this.attached], kernel, nowMs: this.nowMs });
  }

  /** Pins and waits for what became of it, as a DNS session does; the kernel takes `latencyMs` to answer. */
  pinNow(tap: string, pins: readonly Pin[], latencyMs = 0): readonly PinOutcome[] {
    const requestId = `request ${this.outcomes.length} at ${this.nowMs}`;
    const others = this.pending;
    this.pending = [];
    const wasPrompt = this.prompt;
    this.prompt = false;
    this.send({ kind: 'pin', tap, requestId, elements: [...pins], nowMs: this.nowMs });
    if (this.pending.length > 0) this.nowMs += latencyMs;
    for (let count = 0; this.pending.length > 0 && count < longestExchange; count++) this.deliver(0);
    this.prompt = wasPrompt;
    this.pending = others;
    return this.outcomes.find((outcome) => outcome.requestId === requestId)?.addresses ?? [];
  }
}
