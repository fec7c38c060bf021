/**
 * How much of the disk an engine takes: templates, those that are being written included, and all that guests may
 * write to private volumes.
 * Invariant: nothing is begun that would not fit, and what is gone counts no more.
 */
import { readdir, stat } from 'node:fs/promises';
import { CodedError } from '#reference/base/coded-error.ts';

export const defaultMaxStateOctets = 64 * 2 ** 30;
/** In which st_blocks counts. */
export const blockOctets = 512;

export class StateQuota {
  readonly #maxOctets: number;
  readonly #taken = new Map<string, number>();

  constructor(maxOctets: number = defaultMaxStateOctets) {
    this.#maxOctets = maxOctets;
  }

  get octets(): number {
    return [...this.#taken.values()].reduce((sum, one) => sum + one, 0);
  }

  /** Before it is made. @throws CodedError `state-full` */
  take(name: string, octets: number): void {
    const left = this.#maxOctets - this.octets;
    if (octets <= left) {
      this.#taken.set(name, octets);
      return;
    }
    throw new CodedError(
      'state-full',
      `templates and private volumes may take ${this.#maxOctets} octets of the disk; ${Math.max(0, left)} are left, and this takes ${octets}`,
      'remove templates that nobody forks any more, terminate sandboxes with volumes, or allow more',
    );
  }

  /** What stands, measured. */
  set(name: string, octets: number): void {
    this.#taken.set(name, octets);
  }

  giveBack(name: string): void {
    this.#taken.delete(name);
  }
}

/** That a folder and what is below it take on the disk. */
export async function octetsOnDisk(path: string): Promise<number> {
  let octets = (await stat(path)).blocks * blockOctets;
  for (const { name, isDirectory } of await entriesOf(path)) {
    octets += isDirectory
      ? await octetsOnDisk(`${path}/${name}`)
      : (await stat(`${path}/${name}`)).blocks * blockOctets;
  }
  return octets;
}

async function entriesOf(path: string) {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }));
}
