/**
 * Calls of libc for datagrams by the thousand, through koffi: memory is named by its address, a failure is a negative
 * errno.
 * Invariant: nothing is allocated and nothing thrown; an address is of memory that is laid out once and never moves.
 * The layouts are of 64-bit Linux, from the kernel's uapi headers: alike on x86_64 and arm64 but for epoll_event.
 */
import koffi from 'koffi';
import { CodedError } from './coded-error.ts';

export const errno = { EINTR: 4, EAGAIN: 11, ENOBUFS: 105, ECONNREFUSED: 111 } as const;

/** struct msghdr within struct mmsghdr, and the length that the call writes (linux/socket.h). */
export const mmsghdr = {
  octets: 64,
  name: 0,
  nameLength: 8,
  iovec: 16,
  iovecCount: 24,
  flags: 48,
  received: 56,
} as const;
/** struct iovec (linux/uio.h). */
export const iovec = { octets: 16, base: 0, length: 8 } as const;

const epollEvents: Readonly<Record<string, { readonly octets: number; readonly data: number }>> = {
  /** Packed on this one alone (EPOLL_PACKED in linux/eventpoll.h). */
  x64: { octets: 12, data: 4 },
  arm64: { octets: 16, data: 8 },
};

/** struct epoll_event: `events` is at 0. @throws CodedError `unsupported-machine` */
export function epollEventLayout(
  platform: string = process.platform,
  arch: string = process.arch,
): { readonly octets: number; readonly data: number } {
  const layout = platform === 'linux' ? epollEvents[arch] : undefined;
  if (layout !== undefined) return layout;
  throw new CodedError(
    'unsupported-machine',
    `the layout of epoll_event on ${platform} ${arch} is not known here`,
    `run it on Linux on ${Object.keys(epollEvents).join(' or ')}, or ask for the adapter on node:dgram`,
  );
}

const libc = koffi.load('libc.so.6');
const calls = {
  epollWait: libc.func('int epoll_wait(int epoll, uintptr_t events, int most, int timeout_ms)'),
  recvmmsg: libc.func(
    'int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)',
  ),
  sendmmsg: libc.func('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)'),
  /** Of a datagram: its octets are no more than an int says. */
  recvfrom: libc.func(
    'int recvfrom(int fd, uintptr_t data, size_t length, int flags, uintptr_t address, uintptr_t address_length)',
  ),
  send: libc.func('int send(int fd, uintptr_t data, size_t length, int flags)'),
};

const outcome = (result: number) => (result >= 0 ? result : -koffi.errno());

/** Where memory that never moves is. */
export const addressOf = (memory: ArrayBuffer) => Number(koffi.address(memory));

/** How many events there are. Waits. */
export const epollWait = (epoll: number, events: number, most: number, timeoutMs: number) =>
  outcome(calls.epollWait(epoll, events, most, timeoutMs));

/** As `epollWait`, in a thread beside; which error it was is not known there: 0 for any. */
export function epollWaitBeside(
  epoll: number,
  events: number,
  most: number,
  timeoutMs: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    calls.epollWait.async(epoll, events, most, timeoutMs, (error: Error | null, ready: number) => {
      if (error === null) resolve(Math.max(0, ready));
      else reject(error);
    });
  });
}

/** How many messages were received. */
export const receiveMany = (fd: number, messages: number, count: number, flags: number) =>
  outcome(calls.recvmmsg(fd, messages, count, flags, 0));

/** How many messages were sent: fewer than `count` when the next one was refused. */
export const sendMany = (fd: number, messages: number, count: number, flags: number) =>
  outcome(calls.sendmmsg(fd, messages, count, flags));

/** Octets of one message. `addressLength`: where the length of the sockaddr stands, before and after. */
export const receiveFrom = (
  fd: number,
  data: number,
  length: number,
  flags: number,
  address: number,
  addressLength: number,
) => outcome(calls.recvfrom(fd, data, length, flags, address, addressLength));

export const sendOne = (fd: number, data: number, length: number, flags: number) =>
  outcome(calls.send(fd, data, length, flags));
