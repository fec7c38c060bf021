/**
 * Every frame that crosses an interface of a namespace, both ways, with its time (packet(7)).
 * Invariant: it watches from the moment it is made; what it could not keep is counted.
 */
import { libc } from '#properties/oracles/netlink/libc.ts';
import type { SeenFrame } from '../network-lab.ts';
import { bindSocket, CallError, closeAside, newSocket, receive, sendTo, setOption } from './kernel-calls.ts';
import type { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL_BE = 0x0300;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const PACKET_OUTGOING = 4;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const receiveBufferOctets = 16 << 20;
const maxFrames = 40_000;

function linkAddress(index: number, protocolBe: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16LE(protocolBe, 2);
  bytes.writeInt32LE(index, 4);
  return bytes;
}

const chunk = Buffer.alloc(1 << 17);

export class Capture {
  readonly frames: SeenFrame[] = [];
  /** Seen but not kept. */
  beyond = 0;
  readonly #reactor: Reactor;
  readonly #fd: number;

  constructor(reactor: Reactor, namespace: Namespace) {
    this.#reactor = reactor;
    this.#fd = namespace.within(() => newSocket(AF_PACKET, SOCK_RAW, ETH_P_ALL_BE));
    this.#widen();
    reactor.read(this.#fd, () => this.drain());
  }

  /** Beyond the host's limit where that is allowed: in a user namespace it is not. */
  #widen(): void {
    try {
      setOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferOctets);
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'EPERM') throw error;
      setOption(this.#fd, SOL_SOCKET, SO_RCVBUF, receiveBufferOctets);
    }
  }

  /** Takes what is there. An interface that went down is no error: the others go on. */
  drain(): void {
    for (;;) {
      const got = this.#receive();
      if (got === null) return;
      if (this.frames.length >= maxFrames) {
        this.beyond += 1;
        continue;
      }
      this.frames.push({
        atMs: performance.now(),
        interface: got.from.readInt32LE(4),
        outgoing: got.from.readUInt8(10) === PACKET_OUTGOING,
        frame: Buffer.from(chunk.subarray(0, got.octets)),
      });
    }
  }

  #receive(): { octets: number; from: Buffer } | null {
    try {
      return receive(this.#fd, chunk);
    } catch (error) {
      if (error instanceof CallError && error.code === 'ENETDOWN') return this.#receive();
      throw error;
    }
  }

  close(): void {
    this.#reactor.forget(this.#fd);
    closeAside(this.#fd);
  }
}

/**
 * The wire behind an interface of the calling thread's namespace, as a descriptor that reads and writes frames like
 * a tap's: what leaves by it is not read again.
 */
export function openWire(name: string): number {
  const index = libc().if_nametoindex(name);
  if (index === 0) throw new Error(`there is no interface ${name} on the guests’ side`);
  const fd = newSocket(AF_PACKET, SOCK_RAW, 0);
  setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  bindSocket(fd, linkAddress(index, ETH_P_ALL_BE));
  return fd;
}

/** Frames of any content out of one interface. */
export class FrameSender {
  readonly #fd: number;

  constructor(namespace: Namespace, index: number) {
    this.#fd = namespace.within(() => newSocket(AF_PACKET, SOCK_RAW, 0));
    bindSocket(this.#fd, linkAddress(index, 0));
  }

  send(frame: Uint8Array): void {
    sendTo(this.#fd, frame);
  }

  close(): void {
    closeAside(this.#fd);
  }
}
