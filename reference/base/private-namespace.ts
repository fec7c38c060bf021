/**
 * A network namespace without a name: it is there as long as this process holds it.
 * Invariant: it goes with the process, whatever ends that, and everything in it; the calling thread comes back at once.
 */
import koffi from 'koffi';
import { NetworkNamespace } from './namespace-thread.ts';
import { close, open, SyscallError, setns } from './syscalls.ts';

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;
const here = '/proc/thread-self/ns/net';
const unshare = koffi.load('libc.so.6').func('int unshare(int flags)');

export interface PrivateNamespace {
  readonly fd: number;
  /** For whoever opens it by path, in this process. */
  readonly path: string;
  readonly namespace: NetworkNamespace;
  close(): void;
}

/** @throws SyscallError EPERM without CAP_SYS_ADMIN */
export function makePrivateNamespace(): PrivateNamespace {
  const home = open(here, O_RDONLY_CLOEXEC);
  let fd = -1;
  try {
    if (Number(unshare(CLONE_NEWNET)) !== 0) throw new SyscallError('unshare', koffi.errno());
    try {
      fd = open(here, O_RDONLY_CLOEXEC);
    } finally {
      comeBack(home);
    }
  } finally {
    close(home);
  }
  const path = `/proc/self/fd/${fd}`;
  try {
    const namespace = new NetworkNamespace(path);
    return {
      ...{ fd, path, namespace },
      close: () => {
        namespace.close();
        close(fd);
      },
    };
  } catch (error) {
    close(fd);
    throw error;
  }
}

function comeBack(home: number): void {
  try {
    setns(home, CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`no way back from a new network namespace: ${String(error)}\n`);
    process.abort();
  }
}
