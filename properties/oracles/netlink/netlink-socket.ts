/**
 * A netlink socket: requests, dumps that are asked again when they were interrupted, and multicast groups.
 * Every wait has a bound.
 */
import { checked, errnoCode, libc, SystemCallError } from './libc.ts';

const afNetlink = 16;
const sockRawCloexec = 3 | 0o2000000;
const solSocket = 1;
const soRcvtimeo = 20;
const soRcvbufforce = 33;
const soRcvbuf = 8;
const solNetlink = 270;
const netlinkAddMembership = 1;
const msgDontwait = 0x40;
const flagRequest = 1;
const flagAck = 4;
const flagDump = 0x300;
const flagDumpInterrupted = 0x10;
const typeError = 2;
const typeDone = 3;
const receiveTimeoutMs = 5_000;
const maxDumpTries = 20;

export const netlinkNetfilter = 12;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** The kernel changed the tables while they were dumped, each time that it was asked. */
export class DumpInterrupted extends Error {}

export class NetlinkSocket {
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(1 << 18);
  readonly #kernel = address();
  #sequence = 1;

  constructor(protocol: number) {
    this.#descriptor = checked('socket', libc().socket(afNetlink, sockRawCloexec, protocol));
    checked('bind', libc().bind(this.#descriptor, this.#kernel, 12));
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(receiveTimeoutMs / 1_000));
    this.#option(solSocket, soRcvtimeo, timeout);
  }

  close(): void {
    libc().close(this.#descriptor);
  }

  /** Room for `bytes` of messages that were not read yet: by force where we may. */
  receiveBuffer(bytes: number): void {
    const value = int32(bytes);
    const forced = libc().setsockopt(this.#descriptor, solSocket, soRcvbufforce, value, 4);
    if (forced < 0) this.#option(solSocket, soRcvbuf, value);
  }

  join(group: number): void {
    this.#option(solNetlink, netlinkAddMembership, int32(group));
  }

  /** Asks for a whole dump; asks again while the kernel says that it was interrupted. */
  dump(type: number, body: Buffer): NetlinkMessage[] {
    for (let tries = 0; tries < maxDumpTries; tries += 1) {
      const answer = this.#dumpOnce(type, body);
      if (answer !== null) return answer;
    }
    throw new DumpInterrupted(`a dump of type ${type} was interrupted ${maxDumpTries} times`);
  }

  #dumpOnce(type: number, body: Buffer): NetlinkMessage[] | null {
    const sequence = this.#send(type, flagRequest | flagDump, body);
    const collected: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive(sequence, 0) ?? []) {
        interrupted ||= (message.flags & flagDumpInterrupted) !== 0;
        if (message.type === typeDone) return interrupted ? null : collected;
        if (message.type === typeError) {
          const errno = -message.body.readInt32LE(0);
          const error = new SystemCallError('netlink dump', errno);
          if (error.code === 'EINTR') return null;
          throw error;
        }
        collected.push(message);
      }
    }
  }

  /** Asks for one object. */
  get(type: number, body: Buffer): NetlinkMessage {
    const sequence = this.#send(type, flagRequest, body);
    for (;;) {
      const [message] = this.#receive(sequence, 0) ?? [];
      if (message === undefined) continue;
      if (message.type === typeError) {
        throw new SystemCallError('netlink request', -message.body.readInt32LE(0));
      }
      return message;
    }
  }

  /** Sends one request and waits for its acknowledgement. */
  request(type: number, flags: number, body: Buffer): void {
    const sequence = this.#send(type, flagRequest | flagAck | flags, body);
    for (;;) {
      for (const message of this.#receive(sequence, 0) ?? []) {
        if (message.type !== typeError) continue;
        const errno = -message.body.readInt32LE(0);
        if (errno !== 0) throw new SystemCallError('netlink request', errno);
        return;
      }
    }
  }

  /** What has arrived: null when nothing has. Throws ENOBUFS when messages were lost. */
  poll(): NetlinkMessage[] | null {
    return this.#receive(null, msgDontwait);
  }

  #send(type: number, flags: number, body: Buffer): number {
    const sequence = this.#sequence;
    this.#sequence += 1;
    const message = Buffer.alloc(16 + body.length);
    message.writeUInt32LE(message.length, 0);
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(flags, 6);
    message.writeUInt32LE(sequence, 8);
    body.copy(message, 16);
    checked('sendto', libc().sendto(this.#descriptor, message, message.length, 0, this.#kernel, 12));
    return sequence;
  }

  #receive(sequence: number | null, flags: number): NetlinkMessage[] | null {
    const length = libc().recv(this.#descriptor, this.#buffer, this.#buffer.length, flags);
    if (length < 0) {
      if (errnoCode() === 'EAGAIN' && flags === msgDontwait) return null;
      checked('recv', length);
    }
    const messages: NetlinkMessage[] = [];
    let offset = 0;
    while (offset + 16 <= length) {
      const size = this.#buffer.readUInt32LE(offset);
      if (size < 16 || offset + size > length) throw new RangeError(`netlink message of ${size} bytes`);
      if (sequence === null || this.#buffer.readUInt32LE(offset + 8) === sequence) {
        messages.push({
          type: this.#buffer.readUInt16LE(offset + 4),
          flags: this.#buffer.readUInt16LE(offset + 6),
          body: Buffer.from(this.#buffer.subarray(offset + 16, offset + size)),
        });
      }
      offset += (size + 3) & ~3;
    }
    return messages;
  }

  #option(level: number, name: number, value: Buffer): void {
    checked('setsockopt', libc().setsockopt(this.#descriptor, level, name, value, value.length));
  }
}

function address(): Buffer {
  const made = Buffer.alloc(12);
  made.writeUInt16LE(afNetlink, 0);
  return made;
}

function int32(value: number): Buffer {
  const made = Buffer.alloc(4);
  made.writeInt32LE(value);
  return made;
}
