/**
 * Descriptors that a process was started with and is told of by `fd:N`.
 * Invariant: no program that is started from then on has it. Whether it is one that was passed, or one that Node has
 * opened itself, the kernel does not say (Node sets close-on-exec on both at its start): who uses it looks at its kind.
 */
import koffi from 'koffi';
import { fcntl, getsockopt, SyscallError } from './syscalls.ts';

const form = /^fd:(\d{1,6})$/;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_GETFL = 3;
const O_NONBLOCK = 0x800;
const AF_UNIX = 1;
const [SOL_SOCKET, SO_ACCEPTCONN, SO_DOMAIN] = [1, 30, 39];
const POLLIN = 1;
const EBADF = 9;
/** stdout, stderr. */
const outputs = [1, 2];
const poll = koffi.load('libc.so.6').func('int poll(void *fds, unsigned long count, int timeout_ms)');

/** null: the text names none. @throws SyscallError EBADF: it is not open, or what this process says things through */
export function passedDescriptor(text: string): number | null {
  const [, digits] = form.exec(text) ?? [];
  if (digits === undefined) return null;
  const fd = Number(digits);
  if (outputs.includes(fd)) throw new SyscallError('fcntl', EBADF);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

/** A read of it waits: so it is no pipe of Node's own. */
export const isBlocking = (fd: number): boolean => (fcntl(fd, F_GETFL, 0) & O_NONBLOCK) === 0;

/** An end of a local socket that takes connections. */
export function isUnixListener(fd: number): boolean {
  try {
    return [
      [SO_DOMAIN, AF_UNIX],
      [SO_ACCEPTCONN, 1],
    ].every(([name = 0, wanted]) => optionOf(fd, name) === wanted);
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

function optionOf(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  getsockopt(fd, SOL_SOCKET, name, new Uint8Array(value.buffer));
  return value[0];
}

/** Waits, and does nothing else. @returns whether a read would not wait: for octets, an end or an error */
export function isReadable(fd: number, timeoutMs: number): boolean {
  const asked = Buffer.alloc(8);
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(POLLIN, 4);
  return Number(poll(asked, 1, timeoutMs)) > 0;
}
