/**
 * The memory of the epoll adapter: one ArrayBuffer in which every header, vector, address and payload is laid out once.
 * Invariant: the kernel is told of addresses within it alone, and of no more octets than the slot that they begin has.
 */
import { addressOf, epollEventLayout, iovec, mmsghdr } from '../../base/datagram-syscalls.ts';
import { socketAddressOctets } from './socket-address.ts';

/** Longest message in either direction; a longer one is truncated by the kernel, and dropped. */
export const slotOctets = 4_096;
/** linux/socket.h */
export const MSG_TRUNC = 0x20;
/** Slots of a power of two would lie on the same lines of the processor's cache. */
const slotStride = slotOctets + 64;

/** A row of messages for recvmmsg or sendmmsg. */
export class MessageSlots {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #base: number;
  readonly #headers: number;
  readonly #addresses: number;
  readonly #payloads: number;
  /** Of the message that each slot had last. */
  readonly #views: Uint8Array[] = [];

  static octets(count: number): number {
    return count * (mmsghdr.octets + iovec.octets + socketAddressOctets + slotStride);
  }

  constructor(memory: ArrayBuffer, start: number, count: number) {
    this.count = count;
    this.#bytes = new Uint8Array(memory);
    this.#words = new Uint32Array(memory);
    this.#base = addressOf(memory);
    this.#headers = start;
    const vectors = this.#headers + count * mmsghdr.octets;
    this.#addresses = vectors + count * iovec.octets;
    this.#payloads = this.#addresses + count * socketAddressOctets;
    const view = new DataView(memory);
    const pointer = (at: number, to: number) => view.setBigUint64(at, BigInt(this.#base + to), true);
    for (let index = 0; index < count; index++) {
      const header = this.#headers + index * mmsghdr.octets;
      const vector = vectors + index * iovec.octets;
      pointer(header + mmsghdr.name, this.addressAt(index));
      view.setUint32(header + mmsghdr.nameLength, socketAddressOctets, true);
      pointer(header + mmsghdr.iovec, vector);
      view.setBigUint64(header + mmsghdr.iovecCount, 1n, true);
      pointer(vector + iovec.base, this.payloadAt(index));
      view.setBigUint64(vector + iovec.length, BigInt(slotOctets), true);
    }
  }

  /** Where the header of a slot is, for the kernel; the next ones follow. */
  header(index: number): number {
    return this.#base + this.#headers + index * mmsghdr.octets;
  }

  addressAt(index: number): number {
    return this.#addresses + index * socketAddressOctets;
  }

  payloadAt(index: number): number {
    return this.#payloads + index * slotStride;
  }

  /** Octets that were received into the slot; -1 when it was cut off. The slot is ready for the next one then. */
  take(index: number): number {
    const word = (this.#headers + index * mmsghdr.octets) >> 2;
    const words = this.#words;
    const wasCut = ((words[word + (mmsghdr.flags >> 2)] as number) & MSG_TRUNC) !== 0;
    words[word + (mmsghdr.nameLength >> 2)] = socketAddressOctets;
    return wasCut ? -1 : (words[word + (mmsghdr.received >> 2)] as number);
  }

  /** Puts a message, no longer than a slot, and whom it is for into a slot. */
  put(index: number, address: Uint8Array, message: Uint8Array): void {
    this.#bytes.set(message, this.payloadAt(index));
    this.#bytes.set(address, this.addressAt(index));
    const word = (this.#headers + index * mmsghdr.octets) >> 2;
    this.#words[word + (mmsghdr.nameLength >> 2)] = address.length;
    const vector = this.#headers + this.count * mmsghdr.octets + index * iovec.octets;
    this.#words[(vector + iovec.length) >> 2] = message.length;
  }

  /** The message in a slot; valid until the slot is used again. */
  message(index: number, octets: number): Uint8Array {
    // Most messages are as long as the one before: a view is made where it is not.
    const before = this.#views[index];
    if (before !== undefined && before.length === octets) return before;
    const at = this.payloadAt(index);
    const view = this.#bytes.subarray(at, at + octets);
    this.#views[index] = view;
    return view;
  }
}

export class DatagramMemory {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly base: number;
  /** Of one round. */
  readonly mostEvents: number;
  readonly received: MessageSlots;
  readonly queued: MessageSlots;
  /** Offsets: the events are at 0; one message of an upstream, with its address and the length of that. */
  readonly upstreamPayload: number;
  readonly upstreamAddress: number;
  readonly upstreamAddressLength: number;
  /** A message to an upstream. */
  readonly asked: number;
  readonly #eventWords: number;
  /** By length: one for each that was received, no more than a slot has octets. */
  readonly #upstreamViews: (Uint8Array | undefined)[] = new Array(slotOctets + 1).fill(undefined);
  /** Where the descriptor stands in an event. */
  readonly eventDataOffset: number;

  constructor({ received, queued, events }: { received: number; queued: number; events: number }) {
    const { octets, data } = epollEventLayout();
    let end = events * octets;
    const place = (size: number) => {
      const start = (end + 63) & ~63;
      end = start + size;
      return start;
    };
    const receivedAt = place(MessageSlots.octets(received));
    const queuedAt = place(MessageSlots.octets(queued));
    this.upstreamPayload = place(slotOctets);
    this.upstreamAddress = place(socketAddressOctets);
    this.upstreamAddressLength = place(4);
    this.asked = place(slotOctets);
    this.buffer = new ArrayBuffer((end + 63) & ~63);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
    this.base = addressOf(this.buffer);
    this.mostEvents = events;
    this.received = new MessageSlots(this.buffer, receivedAt, received);
    this.queued = new MessageSlots(this.buffer, queuedAt, queued);
    this.#eventWords = octets >> 2;
    this.eventDataOffset = data;
  }

  /** The message of an upstream; valid until the next one is received. */
  upstreamMessage(octets: number): Uint8Array {
    const known = this.#upstreamViews[octets];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(this.upstreamPayload, this.upstreamPayload + octets);
    this.#upstreamViews[octets] = view;
    return view;
  }

  /** What the event at `index` was registered with: a descriptor. */
  eventData(index: number): number {
    return this.words[index * this.#eventWords + (this.eventDataOffset >> 2)] as number;
  }
}
