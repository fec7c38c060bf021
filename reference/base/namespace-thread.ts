/**
 * Sockets in another network namespace: the calling thread goes there, makes them, and comes back.
 * Invariant: whatever happens in between, the thread is back at home, or the process ends: nothing of it may go on
 * in somebody else's namespace.
 */
import { CodedError } from './coded-error.ts';
import { close, open, SyscallError, setns } from './syscalls.ts';

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;

export class NetworkNamespace {
  readonly #home: number;
  readonly #there: number;

  /**
   * @param path a namespace's file: under /run/netns, or /proc/PID/ns/net
   * @throws CodedError `no-namespace`
   */
  constructor(path: string) {
    try {
      this.#there = open(path, O_RDONLY_CLOEXEC);
    } catch (cause) {
      throw noNamespace(path, cause);
    }
    this.#home = open('/proc/thread-self/ns/net', O_RDONLY_CLOEXEC);
    try {
      // Whether one may enter shows only when one does.
      this.within(() => undefined);
    } catch (cause) {
      this.close();
      if (!(cause instanceof SyscallError)) throw cause;
      throw noNamespace(path, cause);
    }
  }

  /** Nothing in `act` may wait: what runs meanwhile on this thread would run there. */
  within<T>(act: () => T): T {
    setns(this.#there, CLONE_NEWNET);
    try {
      return act();
    } finally {
      this.#comeBack();
    }
  }

  #comeBack(): void {
    try {
      setns(this.#home, CLONE_NEWNET);
    } catch (error) {
      process.stderr.write(`no way back from another network namespace: ${String(error)}\n`);
      process.abort();
    }
  }

  close(): void {
    close(this.#there);
    close(this.#home);
  }
}

function noNamespace(path: string, cause: unknown): CodedError {
  return new CodedError(
    'no-namespace',
    `${path} is no network namespace that may be entered: ${cause instanceof Error ? cause.message : String(cause)}`,
    'see ip netns list; run as root, or in the user namespace that owns it',
    { cause },
  );
}
