/**
 * The durable insert-if-absent store behind the gate: one folder, one writer, one append-only file a snapshot.
 * Invariant: `inserted` is said once per key and only after the disk has it; inserts that come together are written
 * together, and what cannot be written, or not bounded, is refused.
 */
import { closeSync } from 'node:fs';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { lockFile } from '#reference/base/file-lock.ts';
import type { Log } from '#reference/base/log.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { WitnessAnswer, WitnessKeeperPort } from '#reference/contract/witness-port.ts';
import { isDigest } from '../decisions/reseed-proof.ts';
import { isRecord, storeFailed, syncFolder, WitnessFile, type WitnessRecord } from './witness-file.ts';

export interface WitnessLimits {
  /** Of one snapshot; a fork takes five. */
  readonly keys: number;
  readonly snapshots: number;
  /** Inserts that wait for the disk, of one snapshot. */
  readonly waiting: number;
}

export const witnessLimits: WitnessLimits = { keys: 262_144, snapshots: 256, waiting: 1_024 };

interface Waiting {
  readonly record: WitnessRecord;
  readonly answer: (answer: WitnessAnswer) => void;
}

interface Held {
  readonly file: WitnessFile;
  readonly keys: Set<string>;
  readonly admitted: Set<number>;
  /** Highest generation that was handed out or inserted. */
  last: number;
  readonly waiting: Waiting[];
  /** Ends when nothing waits any more; null: nothing does. */
  writing: Promise<void> | null;
  isForgotten: boolean;
}

const lockName = 'lock';
const isSample = (key: string) => key.startsWith('sample:');

export class WitnessStore implements WitnessKeeperPort {
  readonly #folder: string;
  readonly #lock: number;
  readonly #limits: WitnessLimits;
  readonly #log: Log;
  readonly #held = new Map<string, Promise<Held>>();
  #isClosed = false;

  private constructor(folder: string, lock: number, limits: WitnessLimits, log: Log) {
    this.#folder = folder;
    this.#lock = lock;
    this.#limits = limits;
    this.#log = log;
  }

  /**
   * @param folder made when it is not there, mode 0700
   * @throws CodedError `witness-store-taken`, `witness-store-failed`
   */
  static async open(folder: string, log: Log, limits: Partial<WitnessLimits> = {}): Promise<WitnessStore> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const lock = lockFile(`${folder}/${lockName}`);
      return new WitnessStore(folder, lock, { ...witnessLimits, ...limits }, log);
    } catch (cause) {
      if (!(cause instanceof SyscallError))
        throw storeFailed('the folder of witnesses cannot be used', cause);
      throw new CodedError(
        'witness-store-taken',
        'another process writes this store of witnesses',
        'end it, or give this one a folder of its own',
        { cause },
      );
    }
  }

  async insert(snapshot: string, generation: number, keys: readonly string[]): Promise<WitnessAnswer> {
    const record = { generation, keys: [...keys] };
    if (!isDigest(snapshot) || !isRecord(record)) return 'failed';
    let held: Held;
    try {
      held = await this.#open(snapshot, 0);
    } catch (error) {
      this.#log.error({ snapshot, err: error }, 'witness store');
      return error instanceof CodedError && error.code === 'witness-store-full' ? 'full' : 'failed';
    }
    if (held.isForgotten || this.#isClosed || held.waiting.length >= this.#limits.waiting) return 'failed';
    return new Promise((answer) => {
      held.waiting.push({ record, answer });
      held.writing ??= this.#write(snapshot, held);
    });
  }

  async nextGeneration(snapshot: string, above: number): Promise<number> {
    if (!isDigest(snapshot)) throw storeFailed('what should be the digest of a snapshot is none');
    const held = await this.#open(snapshot, above);
    held.last = Math.max(held.last, above) + 1;
    return held.last;
  }

  async isAdmitted(snapshot: string, generation: number): Promise<boolean> {
    if (!isDigest(snapshot)) return false;
    return (await this.#open(snapshot, 0)).admitted.has(generation);
  }

  async snapshots(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch((cause: unknown) => {
      throw storeFailed('the folder of witnesses cannot be read', cause);
    });
    return names.filter((name) => name !== lockName);
  }

  async forget(snapshot: string): Promise<void> {
    if (!isDigest(snapshot)) return;
    const held = await this.#open(snapshot, 0);
    held.isForgotten = true;
    await held.writing;
    try {
      await held.file.close();
      await unlink(`${this.#folder}/${snapshot}`);
      await syncFolder(this.#folder);
    } catch (cause) {
      throw storeFailed(`the witnesses of snapshot ${snapshot} cannot be removed`, cause);
    } finally {
      this.#held.delete(snapshot);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const opening of this.#held.values()) {
      const held = await opening;
      await held.writing;
      await held.file.close();
    }
    closeSync(this.#lock);
  }

  #open(snapshot: string, above: number): Promise<Held> {
    if (this.#isClosed) return Promise.reject(storeFailed('the store of witnesses is closed'));
    const known = this.#held.get(snapshot);
    if (known !== undefined) return known;
    const opening = this.#read(snapshot, above);
    this.#held.set(snapshot, opening);
    // Opened anew by whoever asks next: what was wrong may be mended by then.
    opening.catch(() => this.#held.delete(snapshot));
    return opening;
  }

  async #read(snapshot: string, above: number): Promise<Held> {
    const others = (await this.snapshots()).filter((name) => name !== snapshot);
    if (others.length >= this.#limits.snapshots) {
      throw new CodedError(
        'witness-store-full',
        `witnesses of ${others.length} snapshots are held`,
        'remove templates that nobody forks any more',
      );
    }
    const { file, records } = await WitnessFile.open(this.#folder, snapshot, above);
    const held: Held = {
      file,
      keys: new Set(),
      admitted: new Set(),
      last: file.above,
      waiting: [],
      writing: null,
      isForgotten: false,
    };
    for (const record of records) keep(held, record);
    return held;
  }

  async #write(snapshot: string, held: Held): Promise<void> {
    // What comes in the same turn is written with it.
    await null;
    while (held.waiting.length > 0) {
      const batch = held.waiting.splice(0);
      const answers = this.#judge(
        held,
        batch.map(({ record }) => record),
      );
      const records = batch.flatMap(({ record }, index) => (answers[index] === 'inserted' ? [record] : []));
      try {
        if (records.length > 0) await held.file.append(records);
        for (const record of records) keep(held, record);
        for (const [index, { answer }] of batch.entries()) answer(answers[index] ?? 'failed');
      } catch (error) {
        this.#log.error({ snapshot, err: error }, 'witness store');
        // `present` may rest on a neighbour that was not written: nobody of the batch knows.
        for (const { answer } of batch) answer('failed');
      }
    }
    held.writing = null;
  }

  /** In order, each against what is held and what goes before it. */
  #judge(held: Held, batch: readonly WitnessRecord[]): WitnessAnswer[] {
    const together = new Set<string>();
    return batch.map(({ keys }) => {
      if (keys.some((key) => held.keys.has(key) || together.has(key))) return 'present';
      if (held.keys.size + together.size + keys.length > this.#limits.keys) return 'full';
      for (const key of keys) together.add(key);
      return 'inserted';
    });
  }
}

function keep(held: Held, { generation, keys }: WitnessRecord): void {
  for (const key of keys) held.keys.add(key);
  if (keys.some(isSample)) held.admitted.add(generation);
  held.last = Math.max(held.last, generation);
}
