/**
 * Taps by their names: the few calls on /dev/net/tun (linux/if_tun.h) and on a socket (netdevice(7)) that an adapter
 * needs whose VMM opens its tap itself.
 * Invariant: no call makes a tap where one of that name was asked for and there is none, but `createTap`.
 */
import koffi from 'koffi';
import { close, ioctl, open, SyscallError, socket } from '#reference/base/syscalls.ts';

const tun = '/dev/net/tun';
const O_RDWR_CLOEXEC_NONBLOCK = 0x80802;
const O_RDONLY_CLOEXEC = 0x80000;
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const ENODEV = 19;

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNGETIFF = 0x800454d2;
const TUNGETDEVNETNS = 0x54e3;
const SIOCGIFINDEX = 0x8933;

const IFF_TAP_NO_PI = 0x1002;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;
/** struct ifreq: a name of at most 15 octets, then what is asked. */
const ifreqOctets = 40;
const flagsAt = 16;
const maxNameLength = 15;

const libc = koffi.load('libc.so.6');
const calls = {
  dup3: libc.func('int dup3(int from, int to, int flags)'),
  ioctlNumber: libc.func('int ioctl(int fd, unsigned long request, unsigned long argument)'),
};

function checked(call: keyof typeof calls, ...parameters: number[]): number {
  const result = Number(calls[call](...parameters));
  if (result < 0) throw new SyscallError(call === 'dup3' ? call : 'ioctl', koffi.errno());
  return result;
}

function ifreq(name: string, flags = 0): Buffer {
  const request = Buffer.alloc(ifreqOctets);
  request.write(name, 0, maxNameLength, 'latin1');
  request.writeUInt16LE(flags, flagsAt);
  return request;
}

/** Whether there is an interface of that name in the calling thread's network namespace. */
export function isThere(name: string): boolean {
  const asked = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  try {
    ioctl(asked, SIOCGIFINDEX, ifreq(name));
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENODEV') return false;
    throw error;
  } finally {
    close(asked);
  }
}

function withFlags(name: string, flags: number): number {
  const fd = open(tun, O_RDWR_CLOEXEC_NONBLOCK);
  try {
    ioctl(fd, TUNSETIFF, ifreq(name, flags));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * Its one queue, with the flags that Firecracker asks for.
 * @throws SyscallError ENODEV; EBUSY while somebody has it; EPERM when it is another uid's
 */
export function attachTap(name: string): number {
  if (!isThere(name)) throw new SyscallError('ioctl', ENODEV);
  return withFlags(name, IFF_TAP_NO_PI | IFF_VNET_HDR);
}

/** A new one, down; it goes with the descriptor unless it is made to stay. @throws SyscallError EBUSY */
export const createTap = (name: string): number => withFlags(name, IFF_TAP_NO_PI | IFF_TUN_EXCL);

/** From now on it is there without a descriptor too, and only that uid, or who rules its namespace, may open it. */
export function makeStay(fd: number, ownerUid: number): void {
  checked('ioctlNumber', fd, TUNSETOWNER, ownerUid);
  checked('ioctlNumber', fd, TUNSETPERSIST, 1);
}

/** It goes with its descriptor again. */
export const letGo = (fd: number): void => void checked('ioctlNumber', fd, TUNSETPERSIST, 0);

export function nameOf(fd: number): string {
  const request = ifreq('');
  ioctl(fd, TUNGETIFF, request);
  return request.toString('latin1', 0, maxNameLength + 1).replace(/\0.*$/s, '');
}

/** The network namespace that it is in: a descriptor. */
export const namespaceOf = (fd: number): number => checked('ioctlNumber', fd, TUNGETDEVNETNS, 0);

/** What the descriptor was of is closed; it is one of nothing from now on. */
export function replaceByNothing(fd: number): void {
  const nothing = open('/dev/null', O_RDONLY_CLOEXEC);
  try {
    checked('dup3', nothing, fd, O_RDONLY_CLOEXEC);
  } finally {
    close(nothing);
  }
}
