/**
 * A vsock port that the guest listens on (vsock(7)). Node has no sockets of this family: they are waited for in a
 * thread beside, and read in this one when there is something.
 * Invariant: only the host is listened to, never a process of the guest; who connects anew is the host after a restore,
 * which ends all connections of before: the newest one counts, and the one before is closed.
 */
import { write } from 'node:fs';
import koffi from 'koffi';
import { CodedError } from '#reference/base/coded-error.ts';
import {
  bind,
  checkedCalls,
  close,
  eventfd,
  ioctl,
  open,
  recv,
  SyscallError,
  send,
  socket,
} from '#reference/base/syscalls.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { WriteQueue } from './channel.ts';

const AF_VSOCK = 40;
const SOCK_STREAM_CLOEXEC = 0x80001;
const SOCK_CLOEXEC = 0x80000;
const EFD_CLOEXEC_NONBLOCK = 0x80800;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_RDWR = 2;
const backlog = 4;
const forEver = -1;
const O_RDONLY_CLOEXEC = 0x80000;
const IOCTL_VM_SOCKETS_GET_LOCAL_CID = 0x7b9;
const VMADDR_CID_ANY = 0xffffffff;
/** Those below have a meaning of their own. */
const firstGuestCid = 3;
/** The machine itself: by the module vsock_loopback. */
export const loopbackCid = 1;
export const hostCid = 2;

/** struct sockaddr_vm: family, reserved, port, CID. */
const address = { octets: 16, port: 4, cid: 8 } as const;
/** struct pollfd: a descriptor, events, returned events. */
const pollfdOctets = 8;
const POLLIN = 1;
/** How a host goes. */
const waysToGo = ['ECONNRESET', 'EPIPE', 'ENOTCONN', 'EBADF'];

const libc = koffi.load('libc.so.6');
const calls = {
  listen: libc.func('int listen(int fd, int backlog)'),
  accept4: libc.func('int accept4(int fd, void *address, void *length, int flags)'),
  shutdown: libc.func('int shutdown(int fd, int how)'),
};
const checked = checkedCalls(calls);
const poll = libc.func('int poll(void *fds, unsigned long count, int timeout)');

/** This machine's CID; null: no VMM gives it one. */
export function ownCid(device = '/dev/vsock'): number | null {
  let fd: number;
  try {
    fd = open(device, O_RDONLY_CLOEXEC);
  } catch (error) {
    if (error instanceof SyscallError && ['ENOENT', 'ENODEV', 'ENXIO'].includes(error.code)) return null;
    throw error;
  }
  const cid = Buffer.alloc(4);
  try {
    ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cid);
  } finally {
    close(fd);
  }
  const found = cid.readUInt32LE(0);
  return found < firstGuestCid || found === VMADDR_CID_ANY ? null : found;
}

/** In a thread beside, until one of them can be read or has ended: which of them. */
function readable(fds: readonly number[]): Promise<readonly boolean[]> {
  const asked = Buffer.alloc(pollfdOctets * fds.length);
  for (const [index, fd] of fds.entries()) {
    asked.writeInt32LE(fd, pollfdOctets * index);
    asked.writeInt16LE(POLLIN, pollfdOctets * index + 4);
  }
  return new Promise((resolve, reject) => {
    poll.async(asked, fds.length, forEver, (error: Error | null) => {
      if (error !== null) reject(error);
      // Interrupted: none of them.
      else resolve(fds.map((_, index) => asked.readInt16LE(pollfdOctets * index + 6) !== 0));
    });
  });
}

const isGone = (error: unknown) =>
  waysToGo.includes((error as { readonly code?: string } | null)?.code ?? '');

export interface OctetHandler {
  /** Nothing more is read until it has ended. */
  octets(chunk: Buffer): void | Promise<void>;
  /** The host has gone: whoever comes next is another. */
  gone(): void;
}

export class VsockPort {
  readonly #port: number;
  readonly #peerCid: number;
  readonly #writes = new WriteQueue();
  readonly #wake = eventfd(EFD_CLOEXEC_NONBLOCK);
  #peer: number | null = null;
  #isClosed = false;

  /** @param peerCid who alone may connect */
  constructor(port: number, peerCid: number = hostCid) {
    this.#port = port;
    this.#peerCid = peerCid;
  }

  /** Once; until it is closed. @throws CodedError `no-guest-port` */
  async serve(handler: OctetHandler): Promise<void> {
    const listener = this.#listen();
    const buffer = Buffer.alloc(maxLineOctets);
    try {
      while (!this.#isClosed) {
        const peer = this.#peer;
        const fds = [this.#wake, listener, ...(peer === null ? [] : [peer])];
        const [isWoken, isAsked, hasCome] = await readable(fds);
        if (isWoken === true) break;
        if (isAsked === true) this.#accept(listener, handler);
        // Of the one that was just replaced nothing more is read.
        else if (hasCome === true && peer !== null) await this.#read(peer, buffer, handler);
      }
    } finally {
      this.#leave(handler);
      close(listener);
      close(this.#wake);
    }
  }

  /** To the host that is connected when it is called; ends when the kernel has it, or nobody is there any more. */
  send(octets: Buffer): Promise<void> {
    const peer = this.#peer;
    return this.#writes.add(async () => {
      if (peer === null || peer !== this.#peer) return;
      try {
        for (let at = 0; at < octets.length; ) at += await writeSome(peer, octets, at);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    write(this.#wake, one, () => undefined);
  }

  #listen(): number {
    const fd = socket(AF_VSOCK, SOCK_STREAM_CLOEXEC, 0);
    const at = Buffer.alloc(address.octets);
    at.writeUInt16LE(AF_VSOCK, 0);
    at.writeUInt32LE(this.#port, address.port);
    at.writeUInt32LE(VMADDR_CID_ANY, address.cid);
    try {
      bind(fd, at);
      checked('listen', fd, backlog);
      return fd;
    } catch (cause) {
      close(fd);
      const why = cause instanceof Error ? cause.message : String(cause);
      const remedy = 'see that no other process of the guest listens there';
      throw new CodedError(
        'no-guest-port',
        `vsock port ${this.#port} cannot be listened on: ${why}`,
        remedy,
        {
          cause,
        },
      );
    }
  }

  #accept(listener: number, handler: OctetHandler): void {
    const from = Buffer.alloc(address.octets);
    let fd: number;
    try {
      fd = checked('accept4', listener, from, Uint32Array.of(from.length), SOCK_CLOEXEC);
    } catch (error) {
      // It went before it was taken.
      if (error instanceof SyscallError && [...waysToGo, 'ECONNABORTED', 'EAGAIN'].includes(error.code))
        return;
      throw error;
    }
    if (from.readUInt32LE(address.cid) !== this.#peerCid) {
      close(fd);
      return;
    }
    this.#leave(handler);
    this.#peer = fd;
  }

  async #read(peer: number, buffer: Buffer, handler: OctetHandler): Promise<void> {
    let octets: number;
    try {
      octets = recv(peer, buffer, MSG_DONTWAIT);
    } catch (error) {
      if (error instanceof SyscallError && error.code === 'EAGAIN') return;
      if (!isGone(error)) throw error;
      octets = 0;
    }
    if (octets === 0) this.#leave(handler);
    else await handler.octets(Buffer.from(buffer.subarray(0, octets)));
  }

  #leave(handler: OctetHandler): void {
    const fd = this.#peer;
    if (fd === null) return;
    this.#peer = null;
    // A write that waits for room ends with it; then its number is nobody's.
    try {
      checked('shutdown', fd, SHUT_RDWR);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    void this.#writes.add(async () => void close(fd));
    handler.gone();
  }
}

/** At once where there is room; else in a thread beside. */
async function writeSome(peer: number, octets: Buffer, at: number): Promise<number> {
  try {
    return send(peer, octets.subarray(at), MSG_DONTWAIT | MSG_NOSIGNAL);
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EAGAIN')) throw error;
  }
  return new Promise((resolve, reject) => {
    write(peer, octets, at, octets.length - at, null, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
