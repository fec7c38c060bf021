/**
 * A netlink session (RFC 3549; Documentation/userspace-api/netlink in the kernel): requests with
 * acknowledgements, batches, dumps.
 * Invariant: a request is answered, or fails by name within the deadline; a dump is whole or is read again.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { bind, close, recv, SyscallError, send, setsockopt, socket } from '#reference/base/syscalls.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const MSG_TRUNC = 0x20;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLM_F_DUMP_INTR = 0x10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const headerOctets = 16;

const answerDeadlineMs = 2_000;
const receiveBufferOctets = 4 << 20;
/** A dump that was interrupted by a change is read again so often. */
const maxDumps = 20;

export interface Request {
  readonly type: number;
  /** Beside NLM_F_REQUEST and NLM_F_ACK. */
  readonly flags: number;
  readonly body: Buffer;
  /** Begins or ends a batch: the kernel answers for what stands between. */
  readonly unanswered?: true;
}

export class NetlinkSession {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(1 << 16);
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
    setsockopt(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, uint32(1));
  }

  /** errno of each request in order, 0 for done and for what is not answered. All go in one write. */
  send(requests: readonly Request[]): number[] {
    const first = this.#sequence;
    const results: number[] = requests.map(({ unanswered }) => (unanswered ? 0 : -1));
    const messages = requests.map(({ type, flags, body, unanswered }) =>
      this.#message(type, flags | NLM_F_REQUEST | (unanswered ? 0 : NLM_F_ACK), body),
    );
    this.#write(Buffer.concat(messages));
    let missing = results.filter((errno) => errno === -1).length;
    while (missing > 0) {
      this.#receive((type, sequence, payload) => {
        const index = sequence - first;
        if (type !== NLMSG_ERROR || index < 0 || index >= results.length || results[index] !== -1) return;
        results[index] = -payload.readInt32LE(0);
        missing -= 1;
      });
    }
    return results;
  }

  /** Throws SyscallError named `what` when the kernel refuses. */
  request(what: string, request: Request): void {
    const [errno] = this.send([request]);
    if (errno !== 0) throw new SyscallError(what, errno ?? 0);
  }

  /** Payloads of all messages of a dump. */
  dump(what: string, type: number, body: Buffer): Buffer[] {
    for (let tries = 0; tries < maxDumps; tries++) {
      const found = this.#dumpOnce(what, type, body);
      if (found !== null) return found;
    }
    throw new CodedError(
      'netlink-unsettled',
      `${what}: the table changed during each of ${maxDumps} dumps`,
      'let nobody else change it all the time',
    );
  }

  /** null: interrupted by a change. */
  #dumpOnce(what: string, type: number, body: Buffer): Buffer[] | null {
    const sequence = this.#sequence;
    this.#write(this.#message(type, NLM_F_REQUEST | NLM_F_DUMP, body));
    const found: Buffer[] = [];
    let state: 'open' | 'whole' | 'interrupted' = 'open';
    let interrupted = false;
    while (state === 'open') {
      this.#receive((kind, answered, payload, flags) => {
        if (answered !== sequence) return;
        interrupted ||= (flags & NLM_F_DUMP_INTR) !== 0;
        if (kind === NLMSG_DONE) state = interrupted ? 'interrupted' : 'whole';
        else if (kind === NLMSG_ERROR) throw new SyscallError(what, -payload.readInt32LE(0));
        else found.push(Buffer.from(payload));
      });
    }
    return state === 'whole' ? found : null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }

  #message(type: number, flags: number, body: Buffer): Buffer {
    const message = Buffer.alloc(headerOctets + ((body.length + 3) & ~3));
    message.writeUInt32LE(headerOctets + body.length, 0);
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(flags, 6);
    message.writeUInt32LE(this.#sequence++, 8);
    body.copy(message, headerOctets);
    return message;
  }

  #write(data: Buffer): void {
    const sent = send(this.#fd, data);
    if (sent !== data.length) throw new SyscallError('send', 90);
  }

  #receive(each: (type: number, sequence: number, payload: Buffer, flags: number) => void): void {
    const length = this.#read();
    let at = 0;
    while (at + headerOctets <= length) {
      const size = this.#buffer.readUInt32LE(at);
      if (size < headerOctets || at + size > length) throw new SyscallError('recv', 74);
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
      if (length > this.#buffer.length) throw new SyscallError('recv', 90);
      return length;
    } catch (cause) {
      if (!(cause instanceof SyscallError) || cause.code !== 'EAGAIN') throw cause;
      throw new CodedError(
        'netlink-silent',
        `the kernel did not answer within ${answerDeadlineMs} ms`,
        'see dmesg; try again',
        { cause },
      );
    }
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** An attribute (struct nlattr), padded; a list is a nested one. */
export function attribute(type: number, value: Buffer | string | readonly Buffer[]): Buffer {
  const nested = Array.isArray(value);
  const body = nested
    ? Buffer.concat(value as Buffer[])
    : typeof value === 'string'
      ? Buffer.from(`${value}\0`)
      : (value as Buffer);
  const bytes = Buffer.alloc((4 + body.length + 3) & ~3);
  bytes.writeUInt16LE(4 + body.length, 0);
  bytes.writeUInt16LE(nested ? type | 0x8000 : type, 2);
  body.copy(bytes, 4);
  return bytes;
}

/** Attributes by type; the last of a type wins. */
export function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}
