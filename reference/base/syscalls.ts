/**
 * The few calls of libc that Node has no words for, through koffi.
 * Invariant: every failure is a SyscallError that names the call and the errno; EINTR is tried again. The calls
 * for datagrams by the thousand are in `datagram-syscalls.ts`.
 */
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';

/** A call that failed: `call` and `code` (ENOBUFS, EPERM …). */
export class SyscallError extends Error {
  readonly call: string;
  readonly code: string;

  constructor(call: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${call}: ${code}: ${text}`);
    this.name = 'SyscallError';
    this.call = call;
    this.code = code;
  }
}

const libc = koffi.load('libc.so.6');
const calls = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, uint32_t length)'),
  send: libc.func('int64_t send(int fd, const void *data, size_t length, int flags)'),
  recv: libc.func('int64_t recv(int fd, void *data, size_t length, int flags)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  close: libc.func('int close(int fd)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  open: libc.func('int open(const char *path, int flags)'),
  setns: libc.func('int setns(int fd, int type)'),
  connect: libc.func('int connect(int fd, const void *address, uint32_t length)'),
  getsockname: libc.func('int getsockname(int fd, void *address, void *length)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  sendmsg: libc.func('int64_t sendmsg(int fd, uintptr_t message, int flags)'),
  recvmsg: libc.func('int64_t recvmsg(int fd, uintptr_t message, int flags)'),
  getrlimit: libc.func('int getrlimit(int resource, void *limit)'),
  eventfd: libc.func('int eventfd(unsigned int value, int flags)'),
  epoll_create1: libc.func('int epoll_create1(int flags)'),
  socketpair: libc.func('int socketpair(int domain, int type, int protocol, void *pair)'),
  memfd_create: libc.func('int memfd_create(const char *name, unsigned int flags)'),
  fcntl: libc.func('int fcntl(int fd, int command, long argument)'),
  prctl: libc.func('int prctl(int option, long a, void *b, long c, long d)'),
  malloc_trim: libc.func('int malloc_trim(size_t pad)'),
  waitpid: libc.func('int waitpid(int pid, void *status, int options)'),
  close_range: libc.func('int close_range(unsigned int first, unsigned int last, int flags)'),
  // No function of libc: by number, which is the same on every architecture.
  landlock_create_ruleset: libc.func('long syscall(long n, const void *attributes, size_t size, long flags)'),
  landlock_add_rule: libc.func('long syscall(long n, long ruleset, long type, const void *rule, long flags)'),
  landlock_restrict_self: libc.func('long syscall(long n, long ruleset, long flags)'),
  epoll_ctl: libc.func('int epoll_ctl(int epoll, int operation, int fd, const void *event)'),
};

const eintr = 4;
/** Interrupted calls are tried again so often; a signal storm is an error. */
const maxInterrupts = 100;

/**
 * Calls that answer with a number, negative when they failed. EINTR is tried again.
 * @throws SyscallError with the name of the call
 */
export function checkedCalls<N extends string>(
  functions: Readonly<Record<N, (...parameters: unknown[]) => unknown>>,
) {
  return (name: N, ...parameters: unknown[]): number => {
    for (let tries = 0; ; tries++) {
      const result = Number(functions[name](...parameters));
      if (result >= 0) return result;
      const errno = koffi.errno();
      if (errno !== eintr || tries >= maxInterrupts) throw new SyscallError(name, errno);
    }
  };
}
const checked = checkedCalls(calls);

export const socket = (domain: number, type: number, protocol: number) =>
  checked('socket', domain, type, protocol);
/** Gives the system what all threads of the process have freed: by itself the allocator keeps most of it. */
export const giveBackFreed = (): void => void checked('malloc_trim', 0);
export const bind = (fd: number, address: Uint8Array) => checked('bind', fd, address, address.length);
/** Octets that were sent. */
export const send = (fd: number, data: Uint8Array, flags = 0) =>
  checked('send', fd, data, data.length, flags);
/** Octets that were received; more than `data` holds are counted, not kept, with MSG_TRUNC. */
export const recv = (fd: number, data: Uint8Array, flags = 0) =>
  checked('recv', fd, data, data.length, flags);
export const setsockopt = (fd: number, level: number, name: number, value: Uint8Array) =>
  checked('setsockopt', fd, level, name, value, value.length);
/**
 * Sends in a thread beside: netlink does what it is asked for within the call. `data` must not change until then.
 */
export function sendInBackground(fd: number, data: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    calls.send.async(fd, data, data.length, 0, (error: Error | null, sent: unknown) => {
      if (error !== null) reject(error);
      else if (Number(sent) !== data.length) reject(new SyscallError('send', koffi.errno()));
      else resolve(data.length);
    });
  });
}
/** Into `value`. Octets of it. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  const length = Uint32Array.of(value.length);
  checked('getsockopt', fd, level, name, value, length);
  return length[0] ?? 0;
}
/** @param message address of a struct msghdr that does not move */
export const sendMessage = (fd: number, message: number, flags: number) =>
  checked('sendmsg', fd, message, flags);
/** In a thread beside; null: it failed, with an error that is not known there. */
export function receiveMessageBeside(fd: number, message: number, flags: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    calls.recvmsg.async(fd, message, flags, (error: Error | null, octets: unknown) => {
      if (error !== null) reject(error);
      else resolve(Number(octets) < 0 ? null : Number(octets));
    });
  });
}
export const close = (fd: number) => checked('close', fd);
export const ioctl = (fd: number, request: number, argument: Uint8Array) =>
  checked('ioctl', fd, request, argument);
/** The calling thread's namespace from now on. */
export const setns = (fd: number, type: number) => checked('setns', fd, type);
export const open = (path: string, flags: number) => checked('open', path, flags);
export const connect = (fd: number, address: Uint8Array) => checked('connect', fd, address, address.length);
/** What the socket is bound to: a sockaddr in `address`, of at most its length. Octets of it. */
export function getsockname(fd: number, address: Uint8Array): number {
  const length = Uint32Array.of(address.length);
  checked('getsockname', fd, address, length);
  return length[0] ?? 0;
}
export const eventfd = (flags: number) => checked('eventfd', 0, flags);
export const epollCreate = (flags: number) => checked('epoll_create1', flags);
export const epollControl = (epoll: number, operation: number, fd: number, event: Uint8Array) =>
  checked('epoll_ctl', epoll, operation, fd, event);

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0x80001;
/** Two connected ends. */
export function socketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  checked('socketpair', AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair);
  return [pair[0] as number, pair[1] as number];
}
export const memfdCreate = (name: string, flags: number) => checked('memfd_create', name, flags);
export const fcntl = (fd: number, command: number, argument: number) =>
  checked('fcntl', fd, command, argument);
/** Of the calling thread, where the option is of a thread. */
export const prctl = (option: number, argument: number, data: Uint8Array | null = null) =>
  checked('prctl', option, argument, data, 0, 0);
const WNOHANG = 1;
/** Takes away a child that has ended. Its status as wait(2) describes it; null: it has not. */
export function takeEnded(pid: number): number | null {
  const status = new Int32Array(1);
  return checked('waitpid', pid, status, WNOHANG) === 0 ? null : (status[0] as number);
}
const CLOSE_RANGE_CLOEXEC = 4;
/** No program that is started from now on has any of this process's descriptors from `first` on. */
export const closeOnExec = (first: number) => checked('close_range', first, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
/** A ruleset's descriptor; with no attributes and flag 1, the version of the interface. */
export const landlockCreateRuleset = (attributes: Uint8Array | null, flags = 0) =>
  checked('landlock_create_ruleset', 444, attributes, attributes?.length ?? 0, flags);
export const landlockAddRule = (ruleset: number, type: number, rule: Uint8Array) =>
  checked('landlock_add_rule', 445, ruleset, type, rule, 0);
export const landlockRestrictSelf = (ruleset: number) => checked('landlock_restrict_self', 446, ruleset, 0);
const RLIMIT_NOFILE = 7;
/** How many descriptors this process may have; Node takes what the hard limit allows when it starts. */
export function descriptorLimit(): number {
  const limit = new BigUint64Array(2);
  checked('getrlimit', RLIMIT_NOFILE, limit);
  return Number(limit[0]);
}
