/**
 * Descriptors that a process was started with and is told of by `fd:N`.
 * Invariant: what this process has opened itself is never taken for one: all of that is closed on exec, and what came
 * through one is not. From then on no program that is started has it.
 */
import koffi from 'koffi';
import { fcntl, SyscallError } from './syscalls.ts';

const form = /^fd:(\d{1,6})$/;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const POLLIN = 1;
const EBADF = 9;
/** stdout, stderr. */
const outputs = [1, 2];
const poll = koffi.load('libc.so.6').func('int poll(void *fds, unsigned long count, int timeout_ms)');

/** null: the text names none. @throws SyscallError EBADF: this process was not given it, or says things through it */
export function passedDescriptor(text: string): number | null {
  const [, digits] = form.exec(text) ?? [];
  if (digits === undefined) return null;
  const fd = Number(digits);
  const isOwn = outputs.includes(fd) || (fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) !== 0;
  if (isOwn) throw new SyscallError('fcntl', EBADF);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

/** Waits, and does nothing else. @returns whether a read would not wait: for octets, an end or an error */
export function isReadable(fd: number, timeoutMs: number): boolean {
  const asked = Buffer.alloc(8);
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(POLLIN, 4);
  return Number(poll(asked, 1, timeoutMs)) > 0;
}
