/**
 * Forks that are prepared before anybody asks, without a network: loaded and stopped, or rehearsed and stopped again.
 * Invariant: never more than was asked for; filled one at a time in the background, and emptied when it is closed. One
 * that was rehearsed longer ago than it may, or whose VM or channel has ended, is never handed out.
 */
import type { Log } from '#reference/base/log.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import type { ForkedVms, ReadyVm } from './forked-vms.ts';

/** Nothing of it grows old while it is paused; what its host would learn of its template it would learn too late. */
const oldestRehearsalMs = 600_000;

interface Held {
  readonly ready: ReadyVm;
  readonly sinceMs: number;
  isOver: boolean;
}

export class ReadyPool {
  readonly #vms: ForkedVms;
  readonly #snapshot: LoadedSnapshot;
  readonly #log: Log;
  readonly #oldestMs: number;
  readonly #held: Held[] = [];
  #wanted = 0;
  #isRehearsed = false;
  #filling: Promise<void> | null = null;
  #renewal: NodeJS.Timeout | undefined;

  constructor(vms: ForkedVms, snapshot: LoadedSnapshot, log: Log, oldestMs = oldestRehearsalMs) {
    this.#vms = vms;
    this.#snapshot = snapshot;
    this.#log = log;
    this.#oldestMs = oldestMs;
  }

  get size(): number {
    return this.#held.length;
  }

  /** null: none is ready. Whoever took one has it filled again, later: what somebody waits for goes first. */
  take(): ReadyVm | null {
    const at = this.#held.findIndex((held) => this.#isFit(held));
    const [taken] = at === -1 ? [] : this.#held.splice(at, 1);
    return taken?.ready ?? null;
  }

  /** In the background. */
  refill(): void {
    if (this.#wanted > 0) this.fill().catch((error: unknown) => this.#log.warn({ err: error }, 'pool'));
  }

  async resize(wanted: number, isRehearsed = false): Promise<void> {
    this.#wanted = wanted;
    await this.#filling?.catch(() => undefined);
    const isOther = isRehearsed !== this.#isRehearsed;
    this.#isRehearsed = isRehearsed;
    while (this.#held.length > (isOther ? 0 : this.#wanted)) await this.#discard(this.#held[0]);
    await this.fill();
  }

  /** Ends when as many are ready as are wanted. @throws CodedError as `ForkedVms.prepare` */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  async #fill(): Promise<void> {
    await null;
    for (const held of [...this.#held]) if (!this.#isFit(held)) await this.#discard(held);
    while (this.#held.length < this.#wanted) this.#hold(await this.#one());
    const [oldest] = this.#held;
    clearTimeout(this.#renewal);
    if (!this.#isRehearsed || oldest === undefined) return;
    const inMs = Math.max(0, oldest.sinceMs + this.#oldestMs - performance.now()) + 1;
    this.#renewal = setTimeout(() => this.refill(), inMs).unref();
  }

  /** A guest that cannot be rehearsed is the gate's to judge, as it would be without. */
  async #one(): Promise<ReadyVm> {
    if (this.#isRehearsed) {
      try {
        return await this.#vms.rehearse(this.#snapshot, 0);
      } catch (error) {
        this.#log.warn({ err: error }, 'a fork of the pool was not rehearsed');
      }
    }
    return this.#vms.prepare(this.#snapshot, null);
  }

  #hold(ready: ReadyVm): void {
    const held: Held = { ready, sinceMs: performance.now(), isOver: false };
    this.#held.push(held);
    void ready.rehearsal?.over.then(() => {
      held.isOver = true;
    });
  }

  #isFit({ ready, sinceMs, isOver }: Held): boolean {
    return ready.rehearsal === null || (!isOver && performance.now() - sinceMs <= this.#oldestMs);
  }

  async #discard(held: Held | undefined): Promise<void> {
    const at = held === undefined ? -1 : this.#held.indexOf(held);
    if (held === undefined || at === -1) return;
    this.#held.splice(at, 1);
    await this.#vms.discard(held.ready);
  }

  async close(): Promise<void> {
    this.#wanted = 0;
    clearTimeout(this.#renewal);
    await this.#filling?.catch(() => undefined);
    clearTimeout(this.#renewal);
    while (this.#held.length > 0) await this.#discard(this.#held[0]);
  }
}
