/**
 * eth0 by a packet socket (packet(7)): whatever frame out, every frame in, whoever it is for.
 * Invariant: what the kernel did not take is said; only a queue that is full is tried again, within a bound.
 */
import { closeSync, read, writeSync } from 'node:fs';
import koffi from 'koffi';

const AF_PACKET = 17;
const AF_INET = 2;
const SOCK_RAW = 3;
const SOCK_DGRAM = 2;
const ETH_P_ALL_BE = 0x0300;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const SIOCSIFADDR = 0x8916;
const SIOCSIFMTU = 0x8922;
const receiveBufferOctets = 8 << 20;
/** The most that a tap carries, with its header. */
const largestMtu = 65_521;
const ifreqOctets = 40;
const IPPROTO_IP = 0;
const IP_MTU = 14;
const anyPort = 9;
const maxTries = 400;
const MSG_DONTWAIT = 0x40;
/** Then others have their turn. */
const mostAtOnce = 256;
const againMs = 1;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t octets)');
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t octets)',
);
const connect = libc.func('int connect(int fd, const uint8_t *address, uint32_t octets)');
const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *octets)');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, uint8_t *argument)');
const receive = libc.func('int64_t recv(int fd, void *buffer, size_t octets, int flags)');
const indexOf = libc.func('uint32_t if_nametoindex(const char *name)');

const nobody = new Int32Array(new SharedArrayBuffer(4));

function checked(call: string, result: number): number {
  if (result >= 0) return result;
  throw new Error(`${call}: errno ${koffi.errno()}`);
}

function ifreq(name: string): Buffer {
  const request = Buffer.alloc(ifreqOctets);
  request.write(name, 0, 15, 'latin1');
  return request;
}

function control(request: number, argument: Buffer): void {
  controlSocket ??= checked('socket', socket(AF_INET, SOCK_DGRAM, 0));
  checked('ioctl', ioctl(controlSocket, request, argument));
}
let controlSocket: number | null = null;

/** An interface without an address: its kernel answers nobody. */
export function removeAddress(name: string): void {
  const request = ifreq(name);
  request.writeUInt16LE(AF_INET, 16);
  control(SIOCSIFADDR, request);
}

/** Of an IPv4 address (ip(7), IP_MTU): asked of a datagram socket that is connected to it. */
export function pathMtu(to: string): number {
  const fd = checked('socket', socket(AF_INET, SOCK_DGRAM, 0));
  try {
    const address = Buffer.alloc(16);
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(anyPort, 2);
    address.set(to.split('.').map(Number), 4);
    checked('connect', connect(fd, address, address.length));
    const [value, octets] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
    checked('IP_MTU', getsockopt(fd, IPPROTO_IP, IP_MTU, value, octets));
    return value.readInt32LE(0);
  } finally {
    closeSync(fd);
  }
}

export class PacketSocket {
  readonly #name: string;
  readonly #fd: number;
  #isWide = false;

  constructor(name: string) {
    this.#name = name;
    const index = indexOf(name);
    if (index === 0) throw new Error(`there is no interface ${name}`);
    this.#fd = checked('socket', socket(AF_PACKET, SOCK_RAW, 0));
    const wide = Buffer.alloc(4);
    wide.writeInt32LE(receiveBufferOctets);
    checked('SO_RCVBUFFORCE', setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, wide, 4));
    const one = Buffer.from([1, 0, 0, 0]);
    checked('PACKET_IGNORE_OUTGOING', setsockopt(this.#fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, one, 4));
    // Else the device keeps to itself what is for another MAC.
    const membership = Buffer.alloc(16);
    membership.writeInt32LE(index, 0);
    membership.writeUInt16LE(PACKET_MR_PROMISC, 4);
    checked('promiscuous', setsockopt(this.#fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, 16));
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16LE(ETH_P_ALL_BE, 2);
    address.writeInt32LE(index, 4);
    checked('bind', bind(this.#fd, address, address.length));
  }

  /** Frames as they come, in order, for as long as the guest lives: one that was waited for, and what came with it. */
  listen(take: (frames: readonly Buffer[]) => void): void {
    const buffer = Buffer.alloc(1 << 17);
    const next = () =>
      read(this.#fd, buffer, 0, buffer.length, null, (error, octets) => {
        // An interface that went down is no end.
        if (error !== null && error.code !== 'ENETDOWN') throw error;
        const frames = error === null ? [Buffer.from(buffer.subarray(0, octets))] : [];
        while (frames.length < mostAtOnce) {
          const more = Number(receive(this.#fd, buffer, buffer.length, MSG_DONTWAIT));
          if (more < 0) break;
          frames.push(Buffer.from(buffer.subarray(0, more)));
        }
        take(frames);
        next();
      });
    next();
  }

  /** null: the kernel took it; else what it said. */
  send(frame: Uint8Array): string | null {
    for (let tries = 0; ; tries++) {
      try {
        writeSync(this.#fd, frame);
        return null;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EMSGSIZE' && !this.#isWide) this.#widen();
        else if (code === 'ENOBUFS' && tries < maxTries) Atomics.wait(nobody, 0, 0, againMs);
        else return code ?? String(error);
      }
    }
  }

  #widen(): void {
    this.#isWide = true;
    const request = ifreq(this.#name);
    request.writeInt32LE(largestMtu, 16);
    control(SIOCSIFMTU, request);
  }
}
