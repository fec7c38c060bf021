/**
 * Controls one husk, for whoever has a transport: a request's value in, an answer's value out.
 * Invariant: of two requests to prepare or to activate one at most is carried out; a snapshot that was taken is closed
 * when the husk has what it needs of it; who hangs up ends nothing.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import {
  type HuskAnswer,
  type HuskRequest,
  type HuskTimes,
  huskControlVersion,
} from '#reference/contract/husk-control.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import { type Husk, notDormant } from './husk.ts';
import { readHuskRequest } from './read-husk-request.ts';

/** @param snapshot the digest that it must have. @throws CodedError as of `takeTemplate` */
export type TakeSnapshot = (snapshot: string, signal: AbortSignal) => Promise<LoadedSnapshot>;

export class HuskControl {
  readonly #husk: Husk;
  readonly #take: TakeSnapshot;
  readonly #log: Log;
  readonly #answering = new Set<Promise<unknown>>();
  #isTaking = false;
  #taken: LoadedSnapshot | null = null;
  /** Aborted: it was asked to end. */
  readonly #ending = new AbortController();
  #snapshot: string | null = null;
  #generation: number | null = null;
  #failure: CodedError | null = null;

  constructor(husk: Husk, take: TakeSnapshot, log: Log) {
    this.#husk = husk;
    this.#take = take;
    this.#log = log;
  }

  /** What the husk has ended of; null: it has not, or was asked to. */
  get failure(): CodedError | null {
    return this.#failure;
  }

  /** Rejects with what is no CodedError alone: a defect, and there is no answer. */
  answer(value: unknown): Promise<HuskAnswer> {
    const answering = this.#answer(value).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
    return answering;
  }

  /** Ends when nothing of the husk is left, and what was asked before has been answered. @throws `fork-not-reaped` */
  async end(): Promise<void> {
    // One that has ended by itself was not asked to: why it did is still to be told.
    if (this.#husk.phase !== 'ended') this.#ending.abort();
    try {
      await this.#husk.end();
    } finally {
      await Promise.allSettled(this.#answering);
    }
  }

  async #answer(value: unknown): Promise<HuskAnswer> {
    const v = huskControlVersion;
    let ask = 'none';
    try {
      const request = readHuskRequest(value);
      ({ ask } = request);
      const times = await this.#carryOut(request);
      const { phase } = this.#husk;
      this.#log.info({ ask, phase }, 'husk');
      return { v, ok: true, phase, snapshot: this.#snapshot, generation: this.#generation, ...times };
    } catch (error) {
      if (!(error instanceof CodedError)) {
        this.#log.error({ ask, err: error }, 'husk');
        throw error;
      }
      const { code, message, remediation: remedy } = error;
      const { phase } = this.#husk;
      this.#log.warn({ ask, code, phase }, 'husk: refused');
      return { v, ok: false, code, message, remedy, phase };
    }
  }

  async #carryOut(request: HuskRequest): Promise<Partial<HuskTimes>> {
    switch (request.ask) {
      case 'prepare':
        await this.#prepare(request.snapshot);
        return {};
      case 'activate': {
        const { generation, ...times } = await this.#fatal(this.#husk.activate(request));
        this.#generation = generation;
        this.#taken?.close();
        return times;
      }
      case 'change-policy':
        await this.#fatal(this.#husk.change(request.policy));
        return {};
      case 'terminate':
        this.#ending.abort();
        await this.#husk.end();
        return {};
      case 'status':
        return {};
    }
  }

  async #prepare(snapshot: string): Promise<void> {
    // While it is taken the husk knows nothing of it, and has nothing to refuse a second one by.
    if (this.#isTaking || this.#husk.phase !== 'new') throw notDormant(this.#husk.phase);
    this.#isTaking = true;
    try {
      const taken = await this.#take(snapshot, this.#ending.signal);
      this.#taken = taken;
      this.#husk.ended.finally(() => taken.close()).catch(() => undefined);
      await this.#fatal(this.#husk.prepare(taken));
      this.#snapshot = snapshot;
    } finally {
      this.#isTaking = false;
    }
  }

  /** @returns its result; keeps what the husk has ended of */
  async #fatal<T>(step: Promise<T>): Promise<T> {
    const wasOver = this.#husk.phase === 'ended';
    try {
      return await step;
    } catch (error) {
      const hasFailed = this.#husk.phase === 'ended' && !wasOver && !this.#ending.signal.aborted;
      if (hasFailed && error instanceof CodedError) this.#failure ??= error;
      throw error;
    }
  }
}
