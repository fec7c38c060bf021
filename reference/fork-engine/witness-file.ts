/**
 * One snapshot's file of the witness store: a header, then one record a line, each with a checksum.
 * Invariant: what was answered is on the disk; what a crash cut off at the end is dropped, and a line that
 * is damaged makes the file unusable.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { checkedLine, readCheckedLines } from '#reference/base/checked-lines.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { isGeneration } from '../decisions/reseed-proof.ts';

export interface WitnessRecord {
  readonly generation: number;
  readonly keys: readonly string[];
}

interface Header {
  readonly format: 1;
  readonly snapshot: string;
  /** Generations of this snapshot begin above. */
  readonly above: number;
}

export const maxKeysOfRecord = 8;
export const maxKeyLength = 128;
/** A larger file is no file of ours. */
const maxFileOctets = 2 ** 28;
const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export function isRecord(value: unknown): value is WitnessRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { generation, keys } = value as Record<string, unknown>;
  return isGeneration(generation) && isKeys(keys);
}

function isKeys(keys: unknown): keys is string[] {
  return (
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.length <= maxKeysOfRecord &&
    keys.every((key) => typeof key === 'string' && key.length > 0 && key.length <= maxKeyLength) &&
    new Set(keys).size === keys.length
  );
}

function isHeader(value: unknown, snapshot: string): value is Header {
  if (typeof value !== 'object' || value === null) return false;
  const { format, snapshot: named, above } = value as Record<string, unknown>;
  return format === 1 && named === snapshot && (above === 0 || isGeneration(above));
}

export function storeFailed(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'witness-store-failed',
    what,
    'free space, or remove the template together with its witnesses and build it anew; its forks are refused until then',
    { cause },
  );
}

interface Content {
  readonly above: number;
  readonly records: readonly WitnessRecord[];
  /** Octets that are whole. */
  readonly octets: number;
}

/** null: not even the header is whole, so nothing was ever answered. */
function contentOf(octets: Buffer, snapshot: string): Content | null {
  const lines = readCheckedLines(octets);
  if (lines === null) throw storeFailed(`the witnesses of snapshot ${snapshot} are damaged`);
  const [header, ...records] = lines.values;
  if (header === undefined) return null;
  if (!isHeader(header, snapshot) || !records.every(isRecord)) {
    throw storeFailed(`the witnesses of snapshot ${snapshot} are of another format`);
  }
  return { above: header.above, records, octets: lines.octets };
}

export class WitnessFile {
  readonly #file: FileHandle;
  readonly above: number;
  /** Of the records that are answered for. */
  #octets: number;
  #isUsable = true;

  private constructor(file: FileHandle, above: number, octets: number) {
    this.#file = file;
    this.above = above;
    this.#octets = octets;
  }

  /**
   * Made when it is not there, and durable then.
   * @param above for a new one: where its generations begin
   * @throws CodedError `witness-store-failed`
   */
  static async open(
    folder: string,
    snapshot: string,
    above: number,
  ): Promise<{ file: WitnessFile; records: readonly WitnessRecord[] }> {
    const path = `${folder}/${snapshot}`;
    const handle = await open(path, flags, 0o600).catch((cause: unknown) => {
      throw storeFailed(`the witnesses of snapshot ${snapshot} cannot be opened`, cause);
    });
    try {
      const { size } = await handle.stat();
      if (size > maxFileOctets) throw storeFailed(`the witnesses of snapshot ${snapshot} are too many`);
      const content = contentOf(await handle.readFile(), snapshot);
      const kept = content ?? { above, records: [], octets: 0 };
      await handle.truncate(kept.octets);
      const file = new WitnessFile(handle, kept.above, kept.octets);
      if (content === null) {
        await file.#write(checkedLine({ format: 1, snapshot, above } satisfies Header));
        await syncFolder(folder);
      } else {
        // Records that a killed run did not answer for are answered for from now on.
        await handle.datasync();
      }
      return { file, records: kept.records };
    } catch (cause) {
      await handle.close();
      if (cause instanceof CodedError) throw cause;
      throw storeFailed(`the witnesses of snapshot ${snapshot} cannot be read or written`, cause);
    }
  }

  /** @throws CodedError `witness-store-failed`: nothing of them stands, now or after a crash */
  async append(records: readonly WitnessRecord[]): Promise<void> {
    if (!this.#isUsable) throw storeFailed('an earlier write could not be taken back');
    try {
      await this.#write(records.map(checkedLine).join(''));
    } catch (cause) {
      await this.#takeBack();
      throw storeFailed('witnesses could not be written', cause);
    }
  }

  async #write(text: string): Promise<void> {
    const octets = Buffer.from(text);
    await this.#file.appendFile(octets);
    await this.#file.datasync();
    this.#octets += octets.length;
  }

  /** What cannot be taken back may stand after a crash: the file is not used any more. */
  async #takeBack(): Promise<void> {
    this.#isUsable = false;
    await this.#file.truncate(this.#octets);
    await this.#file.datasync();
    this.#isUsable = true;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
