/**
 * The crash journal: what is about to be made is written first, and crossed out when it is gone again.
 * Invariant: nothing outside this process is made before its line is on the disk; what a killed run did not cross out
 * is told to the next one. Lines that come together are written together.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { checkedLine, readCheckedLines } from '#reference/base/checked-lines.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import type { ProcessMark } from '#reference/base/process-mark.ts';

/** What is made, and by what it is found again. */
export type Made =
  /** A process that dies with this one; known once it runs. */
  | { readonly kind: 'vm'; readonly process: ProcessMark | null }
  /** Under the folder of templates. */
  | { readonly kind: 'folder'; readonly name: string };

type Line = { readonly begin: string; readonly made: Made } | { readonly end: string };

const maxJournalOctets = 1 << 26;
/** Crossed-out lines are dropped when there are so many. */
const compactAbove = 4_096;

export interface OpenedJournal {
  readonly journal: Journal;
  /** By id: what a killed run did not cross out. */
  readonly left: ReadonlyMap<string, Made>;
}

export class Journal {
  readonly #path: string;
  #file: FileHandle;
  readonly #open: Map<string, Made>;
  #lines = 0;
  #waiting: { text: string; done: PromiseWithResolvers<void> }[] = [];
  #writing: Promise<void> | null = null;
  #failure: unknown = null;

  private constructor(path: string, file: FileHandle, left: Map<string, Made>) {
    this.#path = path;
    this.#file = file;
    this.#open = left;
  }

  /** The caller holds the lock of the folder. @throws CodedError `journal-failed` */
  static async open(path: string): Promise<OpenedJournal> {
    try {
      const left = leftIn(await contentOf(path));
      const file = await rewritten(path, left);
      return { journal: new Journal(path, file, left), left: new Map(left) };
    } catch (cause) {
      throw cause instanceof CodedError
        ? cause
        : failed('the crash journal cannot be read or written', cause);
    }
  }

  /** Ends when it is on the disk; called again for the same id, it says more of it. @throws CodedError `journal-failed` */
  begin(id: string, made: Made): Promise<void> {
    this.#open.set(id, made);
    return this.#write({ begin: id, made });
  }

  /** Of what is gone. @throws CodedError `journal-failed` */
  async end(id: string): Promise<void> {
    if (!this.#open.delete(id)) return;
    await this.#write({ end: id });
  }

  get size(): number {
    return this.#open.size;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  #write(line: Line): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ text: checkedLine(line), done });
    this.#writing ??= this.#flush();
    return done.promise;
  }

  async #flush(): Promise<void> {
    // What comes in the same turn is written with it.
    await null;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        if (this.#failure !== null) throw this.#failure;
        await this.#file.appendFile(batch.map(({ text }) => text).join(''));
        await this.#file.datasync();
        this.#lines += batch.length;
        if (this.#lines > compactAbove + 2 * this.#open.size) await this.#compact();
        for (const { done } of batch) done.resolve();
      } catch (cause) {
        // Half a line may stand in it: whatever followed would be read as damaged.
        this.#failure = cause;
        for (const { done } of batch) done.reject(failed('the crash journal cannot be written', cause));
      }
    }
    this.#writing = null;
  }

  async #compact(): Promise<void> {
    const file = await rewritten(this.#path, this.#open);
    await this.#file.close();
    this.#file = file;
    this.#lines = this.#open.size;
  }
}

function failed(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'journal-failed',
    what,
    'free space and start the engine again; when it is damaged, see that none of its VMs is left, and remove it',
    { cause },
  );
}

async function contentOf(path: string): Promise<Buffer> {
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    if (size > maxJournalOctets) throw failed(`the crash journal has ${size} octets`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function leftIn(octets: Buffer): Map<string, Made> {
  const lines = readCheckedLines(octets);
  if (lines === null) throw failed('the crash journal is damaged');
  const left = new Map<string, Made>();
  // Whoever can write it can do all that it makes this process do: its form is not checked.
  for (const line of lines.values as Line[]) {
    if ('begin' in line) left.set(line.begin, line.made);
    else left.delete(line.end);
  }
  return left;
}

/** Replaced at once by one that says only what stands. */
async function rewritten(path: string, standing: ReadonlyMap<string, Made>): Promise<FileHandle> {
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w+', 0o600);
  try {
    const lines = [...standing].map(([begin, made]) => checkedLine({ begin, made } satisfies Line));
    await file.appendFile(lines.join(''));
    await file.datasync();
    await rename(fresh, path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
