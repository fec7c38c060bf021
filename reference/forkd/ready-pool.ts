/**
 * Forks that are prepared before anybody asks: loaded and stopped, without a network.
 * Invariant: never more than was asked for; filled one at a time in the background, and emptied when it is closed.
 */
import type { Log } from '#reference/base/log.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import type { ForkedVms, ReadyVm } from './forked-vms.ts';

export class ReadyPool {
  readonly #vms: ForkedVms;
  readonly #snapshot: LoadedSnapshot;
  readonly #log: Log;
  readonly #ready: ReadyVm[] = [];
  #wanted = 0;
  #filling: Promise<void> | null = null;

  constructor(vms: ForkedVms, snapshot: LoadedSnapshot, log: Log) {
    this.#vms = vms;
    this.#snapshot = snapshot;
    this.#log = log;
  }

  get size(): number {
    return this.#ready.length;
  }

  /** null: none is ready. */
  take(): ReadyVm | null {
    const ready = this.#ready.shift() ?? null;
    if (this.#wanted > 0) this.fill().catch((error: unknown) => this.#log.warn({ err: error }, 'pool'));
    return ready;
  }

  async resize(wanted: number): Promise<void> {
    this.#wanted = wanted;
    await this.#filling?.catch(() => undefined);
    while (this.#ready.length > this.#wanted) await this.#discardOne();
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
    while (this.#ready.length < this.#wanted) this.#ready.push(await this.#vms.prepare(this.#snapshot, null));
  }

  async #discardOne(): Promise<void> {
    const ready = this.#ready.shift();
    if (ready !== undefined) await this.#vms.discard(ready);
  }

  async close(): Promise<void> {
    this.#wanted = 0;
    await this.#filling?.catch(() => undefined);
    while (this.#ready.length > 0) await this.#discardOne();
  }
}
