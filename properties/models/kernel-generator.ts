/**
 * A model of the Linux generator and of what a VM fork does to it, as measured in facts.md: which calls
 * make siblings differ.
 * It shares nothing with the reference: a key, a pool, a counter of credited bits.
 */
import { hash } from 'node:crypto';

/** `deterministic` is `-icount`: the time stamp that a reseed mixes in is the same in all siblings. */
export type ForkClock = 'jitter' | 'deterministic';

/** How /dev/random behaves under the agent. */
export const devices = [
  'working',
  'regular file',
  'no CAP_SYS_ADMIN',
  'short write',
  'reseed refused',
  'not ready',
  'absent',
  'short draw',
  'getrandom refused',
] as const;
export type Device = (typeof devices)[number];

export type KernelCall =
  | { readonly call: 'RNDADDENTROPY'; readonly entropyBits: number; readonly octets: string }
  | { readonly call: 'RNDRESEEDCRNG' }
  | { readonly call: 'write-urandom'; readonly octets: string }
  | { readonly call: 'getrandom'; readonly length: number };

export interface KernelResult {
  readonly call: KernelCall['call'];
  readonly ret: number;
  readonly errno: string | null;
  readonly octets?: string;
}

const ioctlErrors: Partial<Record<Device, string>> = {
  'regular file': 'ENOTTY',
  'no CAP_SYS_ADMIN': 'EPERM',
  absent: 'ENOENT',
};

export class KernelGenerator {
  /** Bits of seed that the kernel counts as entropy. */
  creditedBits = 0;
  /** What getrandom gave last, hex. */
  lastDrawn: string | undefined;
  private key: string;
  private pool: string;
  private readonly timeStamp: string;
  private readonly device: Device;

  private constructor(key: string, pool: string, timeStamp: string, device: Device) {
    this.key = key;
    this.pool = pool;
    this.timeStamp = timeStamp;
    this.device = device;
  }

  /** A fork of the template: key and pool are copied; only the time stamp may differ. */
  static fork(template: string, index: number, clock: ForkClock, device: Device): KernelGenerator {
    const stamp = clock === 'jitter' ? `fork ${index}` : 'the same';
    return new KernelGenerator(`key of ${template}`, `pool of ${template}`, stamp, device);
  }

  execute(request: KernelCall): KernelResult {
    switch (request.call) {
      case 'RNDADDENTROPY':
        return this.addEntropy(request.octets, request.entropyBits);
      case 'RNDRESEEDCRNG':
        return this.reseed();
      case 'write-urandom':
        if (this.device === 'absent') return failed(request.call, 'ENOENT');
        this.mix(request.octets);
        return { call: request.call, ret: request.octets.length / 2, errno: null };
      case 'getrandom':
        return this.draw(request.length);
    }
  }

  /** 32 octets for a process of the guest; the key is erased forward. */
  read(): string {
    const drawn = hash('sha256', `draw ${this.key}`);
    this.key = hash('sha256', `erase ${this.key}`);
    return drawn;
  }

  /** What the VMM reads of the generator: whether it is still the template's, and a digest of its key. */
  witness(template: string): { changed: boolean; digest: string } {
    const unchanged = KernelGenerator.fork(template, 0, 'deterministic', 'working');
    // Draws only erase forward: a key that was never reseeded is found again by drawing.
    const reachable = [unchanged.key];
    for (let draws = 0; draws < 4; draws++) {
      unchanged.read();
      reachable.push(unchanged.key);
    }
    return { changed: !reachable.includes(this.key), digest: hash('sha256', `witness ${this.key}`) };
  }

  private mix(octets: string): void {
    this.pool = hash('sha256', `mix ${this.pool} ${octets}`);
  }

  private addEntropy(octets: string, entropyBits: number): KernelResult {
    const call = 'RNDADDENTROPY';
    const errno = ioctlErrors[this.device];
    if (errno !== undefined) return failed(call, errno);
    if (entropyBits < 0) return failed(call, 'EINVAL');
    if (this.device === 'short write') {
      this.mix(octets.slice(0, octets.length >> 1));
      return failed(call, 'EFAULT');
    }
    // A generator that is ready takes the credit and keeps its key (Linux 5.18 and later).
    this.mix(octets);
    this.creditedBits += Math.min(entropyBits, octets.length * 4);
    return { call, ret: 0, errno: null };
  }

  private reseed(): KernelResult {
    const call = 'RNDRESEEDCRNG';
    const errno = ioctlErrors[this.device];
    if (errno !== undefined) return failed(call, errno);
    if (this.device === 'reseed refused') return failed(call, 'EINVAL');
    if (this.device === 'not ready') return failed(call, 'ENODATA');
    this.key = hash('sha256', `key ${this.pool} ${this.timeStamp}`);
    this.pool = hash('sha256', `pool ${this.pool} ${this.timeStamp}`);
    return { call, ret: 0, errno: null };
  }

  private draw(length: number): KernelResult {
    const call = 'getrandom';
    if (this.device === 'getrandom refused') return failed(call, 'ENOSYS');
    const octets = this.read().slice(0, 2 * Math.min(length, this.device === 'short draw' ? 16 : 32));
    this.lastDrawn = octets;
    return { call, ret: octets.length / 2, errno: null, octets };
  }
}

function failed(call: KernelCall['call'], errno: string): KernelResult {
  return { call, ret: -1, errno };
}
