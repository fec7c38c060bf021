/**
 * The calls of libc by which one process holds many network namespaces, their sockets and taps.
 * Invariant: everything is held by descriptors of this process, so that nothing outlives it.
 */
import { close } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const calls = {
  unshare: libc.func('int unshare(int flags)'),
  setns: libc.func('int setns(int fd, int type)'),
  open: libc.func('int open(const char *path, int flags)'),
  close: libc.func('int close(int fd)'),
  read: libc.func('int64_t read(int fd, void *data, size_t length)'),
  write: libc.func('int64_t write(int fd, const void *data, size_t length)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, uint32_t length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  connect: libc.func('int connect(int fd, const void *address, uint32_t length)'),
  accept4: libc.func('int accept4(int fd, void *address, void *length, int flags)'),
  getsockname: libc.func('int getsockname(int fd, void *address, void *length)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  sendto: libc.func(
    'int64_t sendto(int fd, const void *data, size_t length, int flags, const void *to, uint32_t toLength)',
  ),
  recvfrom: libc.func(
    'int64_t recvfrom(int fd, void *data, size_t length, int flags, void *from, void *fromLength)',
  ),
  poll: libc.func('int poll(void *fds, unsigned long count, int timeoutMs)'),
  prctl: libc.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  ),
  mkfifo: libc.func('int mkfifo(const char *path, unsigned int mode)'),
  pidfd_open: libc.func('syscall', 'long', ['long', 'int', 'unsigned int']),
  pidfd_getfd: libc.func('syscall', 'long', ['long', 'int', 'int', 'unsigned int']),
};

export class CallError extends Error {
  readonly code: string;

  constructor(call: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${call}: ${code}: ${text}`);
    this.name = 'CallError';
    this.code = code;
  }
}

const eintr = 4;
const maxInterrupts = 100;
/** EAGAIN, EINPROGRESS: not an error of a descriptor that never blocks. */
const wouldBlock: ReadonlySet<number> = new Set([11, 115]);

/** Result of a call, or null where it would block. */
function attempt(name: keyof typeof calls, ...parameters: unknown[]): number | null {
  for (let tries = 0; ; tries++) {
    const result = Number(calls[name](...parameters));
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (wouldBlock.has(errno)) return null;
    if (errno !== eintr || tries >= maxInterrupts) throw new CallError(name, errno);
  }
}

function done(name: keyof typeof calls, ...parameters: unknown[]): number {
  const result = attempt(name, ...parameters);
  if (result === null) throw new CallError(name, 11);
  return result;
}

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;
const O_RDWR_CLOEXEC_NONBLOCK = 0x80802;
const SYS_pidfd_open = 434;
const SYS_pidfd_getfd = 438;
const PR_SET_PDEATHSIG = 1;

export const closeFd = (fd: number) => void done('close', fd);
/**
 * Closes on another thread: the kernel waits for its readers before it lets go of a packet socket, a tap or a
 * namespace, 15 ms each.
 */
export function closeAside(fd: number): void {
  close(fd, (error) => {
    if (error !== null) process.stderr.write(`closing ${fd}: ${error.message}\n`);
  });
}

/** A named pipe that this user alone opens. */
export const makeFifo = (path: string) => void done('mkfifo', path, 0o600);
export const openRead = (path: string) => done('open', path, O_RDONLY_CLOEXEC);
export const ioctl = (fd: number, request: number, argument: Buffer) => done('ioctl', fd, request, argument);
/** The calling thread's network namespace from now on. */
export const enterNamespace = (fd: number) => void done('setns', fd, CLONE_NEWNET);
/** The calling thread gets a network namespace of its own. */
export const newNamespace = () => void done('unshare', CLONE_NEWNET);
/** The kernel kills this process when its parent dies. */
export const dieWithParent = () => void done('prctl', PR_SET_PDEATHSIG, 9, 0, 0, 0);

/** Octets of a frame, or null when there is none. */
export const readFd = (fd: number, into: Buffer) => attempt('read', fd, into, into.length);
/** Whether it was taken whole. */
export const writeFd = (fd: number, data: Uint8Array) =>
  attempt('write', fd, data, data.length) === data.length;

/** A copy of a descriptor of another process of ours (pidfd_getfd(2)). */
export function copyDescriptor(pid: number, fd: number): number {
  const handle = done('pidfd_open', SYS_pidfd_open, pid, 0);
  try {
    return done('pidfd_getfd', SYS_pidfd_getfd, handle, fd, 0);
  } finally {
    closeFd(handle);
  }
}

const TUNSETIFF = 0x400454ca;
const TUNGETIFF = 0x800454d2;
const IFF_TAP_NO_PI = 0x1002;

export const openDevice = () => done('open', '/dev/net/tun', O_RDWR_CLOEXEC_NONBLOCK);

/** A VMM's end of the tap of that name, in the calling thread's namespace; made if it is not there. */
export function openTap(name: string): number {
  const fd = openDevice();
  const request = Buffer.alloc(40);
  request.write(name, 0, 15, 'latin1');
  request.writeUInt16LE(IFF_TAP_NO_PI, 16);
  try {
    ioctl(fd, TUNSETIFF, request);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Name of the tap that a descriptor is an end of. */
export function tapNameOf(fd: number): string {
  const request = Buffer.alloc(40);
  ioctl(fd, TUNGETIFF, request);
  return request.toString('latin1', 0, 16).replace(/\0.*$/, '');
}

const NONBLOCK_CLOEXEC = 0x80800;
const SOL_SOCKET = 1;

/** A socket that never blocks, in the calling thread's namespace. */
export const newSocket = (domain: number, type: number, protocol: number) =>
  done('socket', domain, type | NONBLOCK_CLOEXEC, protocol);
export const bindSocket = (fd: number, address: Buffer) => void done('bind', fd, address, address.length);
export const listenOn = (fd: number, backlog: number) => void done('listen', fd, backlog);
export const startConnect = (fd: number, address: Buffer) =>
  void attempt('connect', fd, address, address.length);

export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  done('setsockopt', fd, level, name, bytes, bytes.length);
}

/** What an asynchronous connect came to: 0, or its errno. */
export function pendingError(fd: number): number {
  const [value, length] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32LE(4);
  done('getsockopt', fd, SOL_SOCKET, 4, value, length);
  return value.readInt32LE();
}

const addressRoom = 28;

function roomFor(): [address: Buffer, length: Buffer] {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(addressRoom);
  return [Buffer.alloc(addressRoom), length];
}

export function acceptFrom(fd: number): { fd: number; peer: Buffer } | null {
  const [peer, length] = roomFor();
  const accepted = attempt('accept4', fd, peer, length, NONBLOCK_CLOEXEC);
  return accepted === null ? null : { fd: accepted, peer };
}

export function localAddress(fd: number): Buffer {
  const [address, length] = roomFor();
  done('getsockname', fd, address, length);
  return address;
}

/** Octets and sender of a datagram, or null when there is none. */
export function receive(fd: number, into: Buffer): { octets: number; from: Buffer } | null {
  const [from, length] = roomFor();
  const octets = attempt('recvfrom', fd, into, into.length, 0, from, length);
  return octets === null ? null : { octets, from };
}

const MSG_NOSIGNAL = 0x4000;

/** Octets that were taken, null when it would block. */
export const sendTo = (fd: number, data: Uint8Array, to: Buffer | null = null) =>
  attempt('sendto', fd, data, data.length, MSG_NOSIGNAL, to, to?.length ?? 0);

/** Which of the descriptors have something, in order; waits not at all. */
export function ready(fds: readonly number[], events: number): number[] {
  const table = Buffer.alloc(8 * fds.length);
  fds.forEach((fd, index) => {
    table.writeInt32LE(fd, 8 * index);
    table.writeInt16LE(events, 8 * index + 4);
  });
  if (done('poll', table, fds.length, 0) === 0) return [];
  return fds.filter((_, index) => table.readInt16LE(8 * index + 6) !== 0);
}
