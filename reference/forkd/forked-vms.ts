/**
 * From a snapshot to a released VM: prepared, resumed, through the gate; a pool of those that are prepared already.
 * Invariant: each VM stands in the journal before it is made, takes a slot, and gives both back only when it is gone.
 */
import { randomUUID } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import { markOf } from '#reference/base/process-mark.ts';
import type { ForkConfiguration } from '#reference/contract/guest-protocol.ts';
import type { LoadedSnapshot, PreparedVm, RunningVm, VmmPort, Volume } from '#reference/contract/vmm-port.ts';
import type { ActivatedFork, Activation } from '../fork-engine/activation.ts';
import { forkSourceOf } from '../fork-engine/fork-source.ts';
import { type RehearsedVm, rehearse } from '../fork-engine/rehearsal.ts';
import type { Journal } from './journal.ts';
import type { VmSlots } from './vm-slots.ts';

export interface ForkedVmsParts {
  readonly vmm: VmmPort;
  readonly activation: Activation;
  readonly journal: Journal;
  readonly slots: VmSlots;
  readonly log: Log;
}

/** Prepared, and accounted for. */
export interface ReadyVm {
  readonly prepared: PreparedVm;
  /** Of one that ran before anybody asked for it, until its agent had answered. */
  readonly rehearsal: RehearsedVm | null;
  readonly entry: string;
  readonly giveBack: () => void;
}

export interface ReleasedVm {
  readonly vm: RunningVm;
  readonly activated: ActivatedFork;
  /** From the call. */
  readonly admittedAfterMs: number;
  readonly releasedAfterMs: number;
}

export interface ForkOrder {
  readonly snapshot: LoadedSnapshot;
  /** That the agent in it has seen; 0: none. */
  readonly generation: number;
  readonly tapFd: number | null;
  readonly configuration: ForkConfiguration;
  readonly volumes: readonly Volume[];
  /** Of the pool; null: prepared anew. */
  readonly ready: ReadyVm | null;
  /** Told once, when nothing of the VM is left. */
  readonly gone: (vm: RunningVm) => void | Promise<void>;
}

const rehearsalDeadlineMs = 20_000;

export class ForkedVms {
  readonly #parts: ForkedVmsParts;

  constructor(parts: ForkedVmsParts) {
    this.#parts = parts;
  }

  /** @throws CodedError `too-many-vms`, `journal-failed`, `vmm-failed`, `snapshot-mismatch`, `bad-volume`, `no-overlay` */
  async prepare(
    snapshot: LoadedSnapshot,
    tapFd: number | null,
    volumes: readonly Volume[] = [],
  ): Promise<ReadyVm> {
    const { vmm, journal, slots } = this.#parts;
    const giveBack = slots.take();
    const entry = `vm-${randomUUID()}`;
    try {
      await journal.begin(entry, { kind: 'vm', process: null });
      const prepared = await vmm.prepare(snapshot, { tapFd, volumes });
      return { prepared, rehearsal: null, entry, giveBack };
    } catch (error) {
      await this.#crossOut({ entry, giveBack });
      throw error;
    }
  }

  /** As `prepare`, and what `rehearse` does. @throws CodedError as both: nothing of it is left */
  async rehearse(snapshot: LoadedSnapshot, generation: number): Promise<ReadyVm> {
    const ready = await this.prepare(snapshot, null);
    try {
      const rehearsal = await rehearse(ready.prepared, generation, rehearsalDeadlineMs);
      return { ...ready, prepared: rehearsal.prepared, rehearsal };
    } catch (error) {
      await this.discard(ready);
      throw error;
    }
  }

  async discard(ready: ReadyVm): Promise<void> {
    await ready.prepared.stop();
    await this.#crossOut(ready);
  }

  /** Released, or reaped. @throws CodedError as `prepare` and `Activation.activate` */
  async fork(order: ForkOrder): Promise<ReleasedVm> {
    const startMs = performance.now();
    const { snapshot, generation, configuration, gone, volumes } = order;
    const ready = order.ready ?? (await this.prepare(snapshot, order.tapFd, volumes));
    const vm = await ready.prepared.resume().catch(async (error: unknown) => {
      await this.discard(ready);
      throw error;
    });
    const { activation, journal } = this.#parts;
    const begunAfterMs = performance.now() - startMs;
    let ending: Promise<void> | null = null;
    const reap = () => {
      ending ??= vm
        .stop()
        .then(() => this.#crossOut(ready))
        .then(() => gone(vm));
      return ending;
    };
    const mark = markOf(vm.pid);
    const marked =
      mark === null ? Promise.resolve() : journal.begin(ready.entry, { kind: 'vm', process: mark });
    const { rehearsal } = ready;
    const source = forkSourceOf(snapshot, generation);
    const released = activation.activate({ vm, source, configuration, rehearsal, reap });
    // A journal that fails ends the fork as a gate that refuses does.
    marked
      .catch(() => activation.end(vm.id))
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'reap'));
    const activated = await released.catch((error: unknown) => {
      throw volumes.length === 0 ? error : unmounted(error, vm.consoleTail());
    });
    await marked;
    return {
      ...{ vm, activated },
      admittedAfterMs: begunAfterMs + activated.admittedAfterMs,
      releasedAfterMs: begunAfterMs + activated.releasedAfterMs,
    };
  }

  async #crossOut({ entry, giveBack }: Pick<ReadyVm, 'entry' | 'giveBack'>): Promise<void> {
    try {
      await this.#parts.journal.end(entry);
    } finally {
      giveBack();
    }
  }
}

/** What a guest says on its console when it cannot mount a volume. */
const mountFailed = /a fork could not be repaired: volumes: ([A-Za-z][A-Za-z-]{0,31})/;

function unmounted(error: unknown, console: string): unknown {
  const [, why] = mountFailed.exec(console) ?? [];
  if (why === undefined || !(error instanceof CodedError) || error.code !== 'fork-refused') return error;
  return new CodedError(
    'volume-not-mounted',
    `the guest could not mount a volume: ${why}`,
    'give an image of a file system that the guest’s kernel knows (ext4), and a path that is a folder’s or nobody’s',
    { cause: error },
  );
}
