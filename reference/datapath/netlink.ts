/**
 * A netlink session (RFC 3549; Documentation/userspace-api/netlink in the kernel): requests with
 * acknowledgements, batches, dumps.
 * Invariant: a request is answered, or fails by name within the deadline; a dump is whole or is read again;
 * an answer that was lost (ENOBUFS) never counts as a yes.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import {
  bind,
  close,
  recv,
  SyscallError,
  send,
  sendInBackground,
  setsockopt,
  socket,
} from '#reference/base/syscalls.ts';
import { netlinkHeaderOctets as headerOctets, NetlinkWriter } from './netlink-writer.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLM_F_DUMP_INTR = 0x10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const EBUSY = 16;
const EMSGSIZE = 90;
const EBADMSG = 74;
/** An answer that never came: it does not say that the request was refused. */
export const lostAnswer = 105;

const answerDeadlineMs = 2_000;
const receiveBufferOctets = 4 << 20;
const sendBufferOctets = 8 << 20;
/** A dump that was interrupted by a change is read again so often. */
const maxDumps = 20;

export interface Request {
  readonly type: number;
  /** Beside NLM_F_REQUEST and NLM_F_ACK. */
  readonly flags: number;
  readonly body: Uint8Array;
}

/** What the kernel refused of a batch: the message's place, and the kernel's own words where it has some. */
export interface Refusal {
  readonly index: number;
  readonly errno: number;
  readonly words: string;
}

export class NetlinkSession {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(1 << 16);
  readonly #writer = new NetlinkWriter();
  #sequence = 1;
  #closed = false;

  /** In the network namespace of the calling thread. */
  constructor(protocol: number) {
    this.#fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    bind(this.#fd, address);
    const deadline = Buffer.alloc(16);
    deadline.writeBigInt64LE(BigInt(answerDeadlineMs / 1_000), 0);
    setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, deadline);
    setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, uint32(receiveBufferOctets));
    this.#widenSending();
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
      setsockopt(this.#fd, SOL_NETLINK, option, uint32(1));
    }
    if (protocol === NETLINK_ROUTE) {
      setsockopt(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, uint32(1));
    }
  }

  /** A batch goes in one write: past the bound that an ordinary socket has where NET_ADMIN allows it. */
  #widenSending(): void {
    try {
      setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, uint32(sendBufferOctets));
    } catch (error) {
      if (!(error instanceof SyscallError) || error.code !== 'EPERM') throw error;
      setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUF, uint32(sendBufferOctets));
    }
  }

  /** Throws SyscallError named `what` when the kernel refuses. */
  request(what: string, { type, flags, body }: Request): void {
    this.#writer.clear();
    this.#writer.begin(type, flags | NLM_F_REQUEST).raw(body);
    const [refusal] = this.send(this.#writer);
    if (refusal !== undefined) throw new SyscallError(what, refusal.errno);
  }

  /** As `request`, but what the kernel does for it is done in a thread beside. One at a time. */
  async requestInBackground(what: string, { type, flags, body }: Request): Promise<void> {
    const writer = new NetlinkWriter().begin(type, flags | NLM_F_REQUEST | NLM_F_ACK).raw(body);
    const sequence = this.#sequence >>> 0;
    this.#sequence += 1;
    await sendInBackground(this.#fd, writer.finish(sequence));
    const [refusal] = this.#refusals(sequence, 1);
    if (refusal !== undefined) throw new SyscallError(what, refusal.errno);
  }

  /**
   * Sends all messages in one write and waits for the acknowledgement of the last. What is not named in the
   * result was done; where the first message of a batch is refused, nothing of it was.
   * @param end writes what follows the last message that is acknowledged
   */
  send(writer: NetlinkWriter, end?: (writer: NetlinkWriter) => void): Refusal[] {
    const { count } = writer;
    if (count === 0) return [];
    writer.addFlags(NLM_F_ACK);
    end?.(writer);
    const first = this.#sequence >>> 0;
    this.#sequence += writer.count;
    this.#write(writer.finish(first));
    return this.#refusals(first, count);
  }

  /** What was refused of the `count` messages from `first` on. */
  #refusals(first: number, count: number): Refusal[] {
    const refusals: Refusal[] = [];
    let isOver = false;
    this.#answers((type, sequence, payload) => {
      const index = (sequence - first) >>> 0;
      if (type !== NLMSG_ERROR || index >= count) return isOver;
      const errno = -payload.readInt32LE(0);
      if (errno !== 0) refusals.push({ index, errno, words: wordsOf(payload) });
      // A batch that is refused as such is refused at its beginning, and then nothing else is answered.
      isOver ||= index === count - 1 || (index === 0 && errno !== 0);
      return isOver;
    }, refusals);
    return refusals;
  }

  /** Reads until `each` says that all is heard. */
  #answers(
    each: (type: number, sequence: number, payload: Buffer, flags: number) => boolean,
    refusals: Refusal[] | null = null,
  ): void {
    const end = performance.now() + answerDeadlineMs;
    let isHeard = false;
    while (!isHeard) {
      if (performance.now() > end) throw silent();
      try {
        this.#receive((...message) => {
          isHeard = each(...message) || isHeard;
        });
      } catch (error) {
        if (!(error instanceof SyscallError) || error.code !== 'ENOBUFS' || refusals === null) throw error;
        refusals.push({ index: 0, errno: lostAnswer, words: 'the answer was lost' });
        isHeard = true;
      }
    }
  }

  /** Payloads of all messages of a dump, or of the one answer when `flags` ask for no dump. */
  dump(what: string, type: number, body: Uint8Array, flags = NLM_F_DUMP): Buffer[] {
    for (let tries = 0; tries < maxDumps; tries++) {
      const found = this.#dumpOnce(what, type, body, flags);
      if (found !== null) return found;
    }
    throw new CodedError(
      'netlink-unsettled',
      `${what}: the table changed during each of ${maxDumps} dumps`,
      'let nobody else change it all the time',
    );
  }

  /** null: interrupted by a change, or by a queue that was full. */
  #dumpOnce(what: string, type: number, body: Uint8Array, flags: number): Buffer[] | null {
    const sequence = this.#sequence >>> 0;
    this.#sequence += 1;
    this.#writer.clear();
    this.#writer.begin(type, NLM_F_REQUEST | flags).raw(body);
    this.#write(this.#writer.finish(sequence));
    const isDump = (flags & NLM_F_DUMP) !== 0;
    const found: Buffer[] = [];
    let errno = 0;
    let interrupted = false;
    try {
      this.#answers((kind, answered, payload, messageFlags) => {
        if (answered !== sequence) return false;
        interrupted ||= (messageFlags & NLM_F_DUMP_INTR) !== 0;
        if (kind === NLMSG_DONE || kind === NLMSG_ERROR) {
          errno = payload.length >= 4 ? -payload.readInt32LE(0) : 0;
          return true;
        }
        found.push(Buffer.from(payload));
        return !isDump;
      });
    } catch (error) {
      if (!(error instanceof SyscallError) || error.code !== 'ENOBUFS') throw error;
      this.#drain();
      return null;
    }
    // A dump of before that was not read to its end.
    if (errno === EBUSY) this.#drain();
    else if (errno !== 0 && !interrupted) throw new SyscallError(what, errno);
    return interrupted || errno === EBUSY ? null : found;
  }

  #drain(): void {
    for (let read = 0; read < maxDumps * 100; read++) {
      try {
        recv(this.#fd, this.#buffer, MSG_TRUNC | MSG_DONTWAIT);
      } catch (error) {
        if (!(error instanceof SyscallError)) throw error;
        if (error.code === 'EAGAIN') return;
        if (error.code !== 'ENOBUFS') throw error;
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }

  #write(data: Buffer): void {
    const sent = send(this.#fd, data);
    if (sent !== data.length) throw new SyscallError('send', EMSGSIZE);
  }

  #receive(each: (type: number, sequence: number, payload: Buffer, flags: number) => void): void {
    const length = this.#read();
    let at = 0;
    while (at + headerOctets <= length) {
      const size = this.#buffer.readUInt32LE(at);
      if (size < headerOctets || at + size > length) throw new SyscallError('recv', EBADMSG);
      const [type, flags] = [this.#buffer.readUInt16LE(at + 4), this.#buffer.readUInt16LE(at + 6)];
      each(
        type,
        this.#buffer.readUInt32LE(at + 8),
        this.#buffer.subarray(at + headerOctets, at + size),
        flags,
      );
      at += (size + 3) & ~3;
    }
  }

  #read(): number {
    try {
      const length = recv(this.#fd, this.#buffer, MSG_TRUNC);
      if (length > this.#buffer.length) throw new SyscallError('recv', EMSGSIZE);
      return length;
    } catch (cause) {
      if (!(cause instanceof SyscallError) || cause.code !== 'EAGAIN') throw cause;
      throw silent(cause);
    }
  }
}

function silent(cause?: unknown): CodedError {
  return new CodedError(
    'netlink-silent',
    `the kernel did not answer within ${answerDeadlineMs} ms`,
    'see dmesg; try again',
    { cause },
  );
}

/** The kernel's own words in an extended acknowledgement; with NETLINK_CAP_ACK they follow the header. */
function wordsOf(payload: Buffer): string {
  const words = attributesOf(payload.subarray(4 + headerOctets)).get(NLMSGERR_ATTR_MSG);
  return words === undefined ? '' : words.toString('latin1').replace(/\0.*$/s, '');
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** An attribute (struct nlattr), padded; a list is a nested one. */
export function attribute(type: number, value: Uint8Array | string | readonly Buffer[]): Buffer {
  const nested = Array.isArray(value);
  const body = nested
    ? Buffer.concat(value as Buffer[])
    : typeof value === 'string'
      ? Buffer.from(`${value}\0`)
      : (value as Uint8Array);
  const bytes = Buffer.alloc((4 + body.length + 3) & ~3);
  bytes.writeUInt16LE(4 + body.length, 0);
  bytes.writeUInt16LE(nested ? type | 0x8000 : type, 2);
  bytes.set(body, 4);
  return bytes;
}

/** Attributes by type; the last of a type wins. */
export function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (const [type, value] of listedAttributes(bytes)) found.set(type, value);
  return found;
}

/** Attributes in order: what stands in a list has one type. */
export function listedAttributes(bytes: Buffer): [type: number, value: Buffer][] {
  const found: [number, Buffer][] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.push([bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length)]);
    at += (length + 3) & ~3;
  }
  return found;
}
