/**
 * Local stream sockets, as far as Node does not go: who is at the other end, and descriptors that go along with octets
 * (SCM_RIGHTS, unix(7)).
 * Invariant: a descriptor that was received and is not handed to the caller is closed; all of them are closed on exec.
 * The layouts are of 64-bit Linux, alike on x86_64 and arm64.
 */
import type { Socket } from 'node:net';
import { addressOf } from './datagram-syscalls.ts';
import {
  close,
  connect,
  fcntl,
  getsockopt,
  receiveMessageBeside,
  SyscallError,
  sendMessage,
  setsockopt,
  socket,
} from './syscalls.ts';

const AF_UNIX = 1;
/** SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC. */
const streamNonBlocking = 0x8_0801;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_RCVTIMEO = 20;
const SCM_RIGHTS = 1;
const F_SETFL = 4;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const MSG_CTRUNC = 8;
const ENAMETOOLONG = 36;
/** struct sockaddr_un. */
const maxPathOctets = 107;
/** struct msghdr, struct iovec, struct cmsghdr. */
const header = { octets: 56, iovec: 16, iovecCount: 24, control: 32, controlLength: 40, flags: 48 } as const;
const iovecOctets = 16;
const controlHeader = { octets: 16, level: 8, type: 12 } as const;

export interface PeerCredentials {
  /** 0: of a process namespace that is not seen from here. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Node has no word for it; null: it has none any more, or hides it. */
export function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : null;
}

/** Of who connected; of a connected end's listener: of who listened. */
export function peerOf(fd: number): PeerCredentials {
  const credentials = new Uint32Array(3);
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(credentials.buffer));
  const [pid = 0, uid = 0, gid = 0] = credentials;
  return { pid, uid, gid };
}

/**
 * Connected, not waited for, and without blocking from then on: a listener whose queue is full has nobody to answer.
 * @throws SyscallError ENOENT, ECONNREFUSED, EAGAIN, EACCES; ENAMETOOLONG
 */
export function connectUnix(path: string): number {
  const octets = Buffer.from(path);
  if (octets.length > maxPathOctets) throw new SyscallError('connect', ENAMETOOLONG);
  const fd = socket(AF_UNIX, streamNonBlocking, 0);
  try {
    const address = Buffer.alloc(2 + octets.length + 1);
    address.writeUInt16LE(AF_UNIX, 0);
    octets.copy(address, 2);
    connect(fd, address);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** What one message of `octets` and `descriptors` is laid out in; kept until the call is over. */
class Message {
  readonly #memory: ArrayBuffer;
  readonly #view: DataView;
  readonly #controlAt: number;
  readonly data: Buffer;

  constructor(octets: number, descriptors: number) {
    const controlOctets = controlHeader.octets + Math.ceil((4 * descriptors) / 8) * 8;
    this.#controlAt = header.octets + iovecOctets;
    const dataAt = this.#controlAt + controlOctets;
    this.#memory = new ArrayBuffer(dataAt + octets);
    this.#view = new DataView(this.#memory);
    this.data = Buffer.from(this.#memory, dataAt, octets);
    const at = (offset: number) => BigInt(this.address + offset);
    this.#view.setBigUint64(header.iovec, at(header.octets), true);
    this.#view.setBigUint64(header.iovecCount, 1n, true);
    this.#view.setBigUint64(header.control, at(this.#controlAt), true);
    this.#view.setBigUint64(header.controlLength, BigInt(controlOctets), true);
    this.#view.setBigUint64(header.octets, at(dataAt), true);
    this.#view.setBigUint64(header.octets + 8, BigInt(octets), true);
  }

  get address(): number {
    return addressOf(this.#memory);
  }

  put(descriptors: readonly number[]): void {
    const at = this.#controlAt;
    this.#view.setBigUint64(at, BigInt(controlHeader.octets + 4 * descriptors.length), true);
    this.#view.setInt32(at + controlHeader.level, SOL_SOCKET, true);
    this.#view.setInt32(at + controlHeader.type, SCM_RIGHTS, true);
    for (const [index, fd] of descriptors.entries()) {
      this.#view.setInt32(at + controlHeader.octets + 4 * index, fd, true);
    }
  }

  /** Those that came. There is one control message at most: no other option of the socket is set. */
  taken(): number[] {
    const at = this.#controlAt;
    if (Number(this.#view.getBigUint64(header.controlLength, true)) < controlHeader.octets) return [];
    if (this.#view.getInt32(at + controlHeader.type, true) !== SCM_RIGHTS) return [];
    const count = (Number(this.#view.getBigUint64(at, true)) - controlHeader.octets) / 4;
    return Array.from({ length: count }, (_, index) =>
      this.#view.getInt32(at + controlHeader.octets + 4 * index, true),
    );
  }

  /** More came than there was room for; the kernel has closed those. */
  get isCutOff(): boolean {
    return (this.#view.getUint32(header.flags, true) & MSG_CTRUNC) !== 0;
  }
}

/**
 * At once, or not at all. The descriptors go along with the first octet, and stay the caller's.
 * @returns how many of the octets were sent
 * @throws SyscallError EAGAIN when the peer does not read
 */
export function sendDescriptors(fd: number, octets: Uint8Array, descriptors: readonly number[]): number {
  const message = new Message(octets.length, descriptors.length);
  message.data.set(octets);
  message.put(descriptors);
  return sendMessage(fd, message.address, MSG_NOSIGNAL | MSG_DONTWAIT);
}

export interface Received {
  /** None: the peer has closed it. */
  readonly octets: Buffer;
  /** The caller's. */
  readonly descriptors: readonly number[];
}

/**
 * What comes next, waited for in a thread beside. The socket blocks from then on.
 * @returns null when nothing came in time, or more descriptors than `maxDescriptors`
 */
export async function receiveDescriptors(
  fd: number,
  maxOctets: number,
  maxDescriptors: number,
  deadlineMs: number,
): Promise<Received | null> {
  const message = new Message(maxOctets, maxDescriptors);
  // struct timeval; of nothing, it would wait for ever.
  const waitMs = Math.max(1, Math.ceil(deadlineMs));
  const time = BigInt64Array.of(BigInt(Math.floor(waitMs / 1_000)), BigInt((waitMs % 1_000) * 1_000));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(time.buffer));
  fcntl(fd, F_SETFL, 0);
  const count = await receiveMessageBeside(fd, message.address, MSG_CMSG_CLOEXEC);
  if (count === null) return null;
  const descriptors = message.taken();
  if (!message.isCutOff) return { octets: message.data.subarray(0, count), descriptors };
  for (const one of descriptors) close(one);
  return null;
}
