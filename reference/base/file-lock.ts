/**
 * One writer of a folder: flock(2) on a file in it.
 * Invariant: the kernel frees it with the process, whatever ended it; the file itself says nothing and stays.
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { SyscallError } from './syscalls.ts';

const LOCK_EX_NB = 6;
const flock = koffi.load('libc.so.6').func('int flock(int fd, int operation)');

/**
 * The descriptor that holds the lock (close-on-exec); closing it frees the lock.
 * @throws SyscallError `EWOULDBLOCK` (`EAGAIN`): another process holds it
 */
export function lockFile(path: string): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (Number(flock(fd, LOCK_EX_NB)) === 0) return fd;
  const errno = koffi.errno();
  closeSync(fd);
  throw new SyscallError('flock', errno);
}
