/**
 * The calls of libc and OpenSSL that a guest agent needs and Node has no words for, through koffi.
 * Invariant: every failure is a SyscallError that names the call and the errno, never a parameter.
 */
import koffi from 'koffi';
import { checkedCalls, ioctl, open, SyscallError } from '#reference/base/syscalls.ts';

export interface SystemCalls {
  open(path: string, flags: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  /** Fills `into`, or fails. Octets that were drawn. */
  getrandom(into: Uint8Array): number;
  /** OpenSSL's generators of this process take new seeds from the kernel at their next use. */
  randPoll(): void;
  clockSettime(clock: number, timespec: Uint32Array): void;
  sethostname(name: string): void;
  mount(source: string, target: string, kind: string, flags: number, data: string): void;
  umount(target: string, flags: number): void;
  /** The child that has ended and was not waited for, left as it is; null: none. */
  peekEnded(): number | null;
  /** Takes an ended child away. */
  reap(pid: number): void;
}

const libc = koffi.load('libc.so.6');
/** The program itself: Node carries OpenSSL. */
const self = koffi.load(null);
const calls = {
  getrandom: libc.func('int64_t getrandom(void *buffer, size_t length, unsigned int flags)'),
  clock_settime: libc.func('int clock_settime(int clock, const void *time)'),
  sethostname: libc.func('int sethostname(const char *name, size_t length)'),
  mount: libc.func(
    'int mount(const char *source, const char *target, const char *kind, unsigned long flags, const char *data)',
  ),
  umount2: libc.func('int umount2(const char *target, int flags)'),
  waitid: libc.func('int waitid(int kind, unsigned int id, void *info, int options)'),
  waitpid: libc.func('int waitpid(int pid, void *status, int options)'),
  poll: libc.func('int poll(void *fds, unsigned long count, int timeout)'),
};
const RAND_poll = self.func('int RAND_poll()');

const ECHILD = 10;
const EIO = 5;

const checked = checkedCalls(calls);

const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
/** siginfo_t of 64-bit Linux: 128 octets, si_pid at 16. */
const siginfo = Buffer.alloc(128);
const siPid = 16;

function peekEnded(): number | null {
  siginfo.fill(0);
  // No error is made of what is no error: it would cost a fork more than the call.
  if (calls.waitid(P_ALL, 0, siginfo, WEXITED | WNOHANG | WNOWAIT) !== 0) {
    const errno = koffi.errno();
    if (errno === ECHILD) return null;
    throw new SyscallError('waitid', errno);
  }
  const pid = siginfo.readInt32LE(siPid);
  return pid === 0 ? null : pid;
}

const POLLIN = 1;
/** struct pollfd: a descriptor, events, returned events. */
const pollfdOctets = 8;

/** Descriptors that are waited for together, again and again. */
export class Poll {
  readonly #asked: Buffer;
  readonly #count: number;

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#asked = Buffer.from(new ArrayBuffer(pollfdOctets * fds.length));
    for (const [index, fd] of fds.entries()) {
      this.#asked.writeInt32LE(fd, pollfdOctets * index);
      this.#asked.writeInt16LE(POLLIN, pollfdOctets * index + 4);
    }
  }

  /** Waits in this thread until one of them can be read, or has ended: whether the first is among them. */
  isFirstReadable(timeoutMs: number): boolean {
    checked('poll', this.#asked, this.#count, timeoutMs);
    return this.#asked.readInt16LE(6) !== 0;
  }
}

export const systemCalls: SystemCalls = {
  open,
  ioctl,
  getrandom: (into) => checked('getrandom', into, into.length, 0),
  randPoll: () => {
    if (RAND_poll() !== 1) throw new SyscallError('RAND_poll', EIO);
  },
  clockSettime: (clock, timespec) => void checked('clock_settime', clock, timespec),
  sethostname: (name) => void checked('sethostname', name, Buffer.byteLength(name)),
  mount: (source, target, kind, flags, data) => void checked('mount', source, target, kind, flags, data),
  umount: (target, flags) => void checked('umount2', target, flags),
  peekEnded,
  reap: (pid) => void checked('waitpid', pid, Buffer.alloc(4), WNOHANG),
};
