/**
 * A network namespace without a name, held by a descriptor of this process.
 * Invariant: it goes with the descriptor, `kill -9` included; the thread is always back in its own namespace.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { closeAside, closeFd, enterNamespace, newNamespace, openRead } from './kernel-calls.ts';

const commandTimeoutMs = 20_000;
const maxOutputOctets = 256 * 1024 * 1024;
const ownPath = '/proc/thread-self/ns/net';

/** A program ended with an error, or did not start. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export class Namespace {
  readonly fd: number;
  #closed = false;

  private constructor(fd: number) {
    this.fd = fd;
  }

  static create(): Namespace {
    const home = openRead(ownPath);
    try {
      newNamespace();
    } catch (error) {
      closeFd(home);
      throw error;
    }
    try {
      return new Namespace(openRead(ownPath));
    } finally {
      enterNamespace(home);
      closeFd(home);
    }
  }

  /** One that somebody else made, held from now on too: the path of a process's, or of another holder's. */
  static at(path: string): Namespace {
    return new Namespace(openRead(path));
  }

  /** Where another process finds it, while this one lives. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.fd}`;
  }

  /** `work` must not wait: sockets are made where the thread is when they are made. */
  within<Result>(work: () => Result): Result {
    const home = openRead(ownPath);
    enterNamespace(this.fd);
    try {
      return work();
    } finally {
      enterNamespace(home);
      closeFd(home);
    }
  }

  /** Output of a program that ran inside. Throws CommandError with what it said. */
  run(program: string, words: readonly string[], input = ''): string {
    const result = this.try(program, words, input);
    if (result.status === 0) return result.stdout;
    const said = result.error?.message ?? result.stderr.trim().slice(0, 1_000);
    throw new CommandError(`${program} ${words.join(' ')}: ${said}`);
  }

  try(program: string, words: readonly string[], input = ''): SpawnSyncReturns<string> {
    const options = {
      input,
      encoding: 'utf8',
      timeout: commandTimeoutMs,
      maxBuffer: maxOutputOctets,
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    } as const;
    return this.within(() => spawnSync(program, words, options));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAside(this.fd);
  }
}
