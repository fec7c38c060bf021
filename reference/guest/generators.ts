/**
 * The random generators of the guest: the kernel's by ioctl (random(4)), and those of this process.
 * Invariant: a seed is wiped from the memory that was made for it; both ioctls go to the character device 1:9, and what
 * they return is told as it is.
 */
import { randomFillSync, randomInt, randomUUID } from 'node:crypto';
import { close, SyscallError } from '#reference/base/syscalls.ts';
import { sampleDrawOctets } from '#reference/contract/reseed.ts';
import type { CallResult, GeneratorCall } from '../decisions/reseed-report.ts';
import type { SystemCalls } from './system-calls.ts';

const RNDADDENTROPY = 0x40085203;
const RNDRESEEDCRNG = 0x5207;
const O_RDWR_CLOEXEC = 0x80002;
/** Of the seeds that our hosts send. */
const usualSeedOctets = 64;
/** randomUUID keeps 128 that were drawn before, randomInt 1,024. */
const cachedUuids = 130;
const cachedInts = 1_100;

/**
 * What is handed to the kernel, in memory that is there before a fork: to make it costs one more than the call. Each is
 * wiped after its use.
 */
const poolInfo = Buffer.from(new ArrayBuffer(8 + usualSeedOctets));
const sampleDraw = Buffer.from(new ArrayBuffer(sampleDrawOctets));
const noArgument = new Uint8Array(new ArrayBuffer(0));

const bufferOf = (octets: number, known: Buffer) => (known.length === octets ? known : Buffer.alloc(octets));

/**
 * The octets that `randomInt` drew ahead: Node reads them by a method that can be listened to. null: this Node does not.
 * To draw them all would cost a fork ten milliseconds and more under TCG.
 */
function drawnAhead(): Uint8Array | null {
  const { readUIntBE } = Buffer.prototype;
  let read: Uint8Array | null = null;
  Buffer.prototype.readUIntBE = function (this: Buffer, offset: number, octets: number): number {
    read = this;
    return readUIntBE.call(this, offset, octets);
  };
  try {
    randomInt(2);
  } finally {
    Buffer.prototype.readUIntBE = readUIntBE;
  }
  return read;
}

export class Generators {
  readonly #calls: SystemCalls;
  readonly #device: number;
  readonly #drawnAhead = drawnAhead();

  constructor(calls: SystemCalls, device = '/dev/urandom') {
    this.#calls = calls;
    this.#device = calls.open(device, O_RDWR_CLOEXEC);
  }

  call(call: GeneratorCall): CallResult {
    try {
      return this.#make(call);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return { call: call.call, ret: -1, errno: error.code };
    }
  }

  #make(call: GeneratorCall): CallResult {
    switch (call.call) {
      case 'RNDADDENTROPY':
        return { call: call.call, ret: this.#credit(call.entropyBits, call.octets), errno: null };
      case 'RNDRESEEDCRNG':
        return { call: call.call, ret: this.#ioctl(RNDRESEEDCRNG, noArgument), errno: null };
      case 'getrandom': {
        const drawn = bufferOf(call.length, sampleDraw);
        try {
          const ret = this.#calls.getrandom(drawn);
          return { call: call.call, ret, errno: null, octets: drawn.toString('hex') };
        } finally {
          drawn.fill(0);
        }
      }
    }
  }

  /** struct rand_pool_info: bits, octets, the octets themselves. */
  #credit(bits: number, hex: string): number {
    const info = bufferOf(8 + hex.length / 2, poolInfo);
    info.writeInt32LE(bits, 0);
    info.writeInt32LE(hex.length / 2, 4);
    info.write(hex, 8, 'hex');
    try {
      return this.#ioctl(RNDADDENTROPY, info);
    } finally {
      info.fill(0);
    }
  }

  #ioctl(request: number, argument: Uint8Array): number {
    return this.#calls.ioctl(this.#device, request, argument);
  }

  close(): void {
    close(this.#device);
  }

  /**
   * After the kernel's reseed: OpenSSL's generators take new seeds, and what Node drew from them before is thrown away.
   * @throws SyscallError
   */
  renewThisProcess(): void {
    this.#calls.randPoll();
    for (let drawn = 0; drawn < cachedUuids; drawn++) randomUUID();
    if (this.#drawnAhead !== null) randomFillSync(this.#drawnAhead);
    else for (let drawn = 0; drawn < cachedInts; drawn++) randomInt(256);
  }
}

/**
 * `Math.random` draws from OpenSSL and keeps nothing: V8's own state is one that no reseed reaches. In this realm;
 * the agent has no other, nor a worker.
 */
export function replaceMathRandom(): void {
  const drawn = new BigUint64Array(1);
  Math.random = () => {
    randomFillSync(drawn);
    return Number((drawn[0] ?? 0n) >> 11n) / 2 ** 53;
  };
}
