/**
 * What the lab and a hostile root of a guest say to each other over pipes: frames, and orders between them, in order.
 * Invariant: a part has a bound; what breaks it ends the pipe.
 */

export const partKinds = { frame: 1, order: 2, answer: 3, data: 4 } as const;
export type PartKind = keyof typeof partKinds;

export interface Part {
  readonly kind: PartKind;
  readonly data: Buffer;
}

/** What the lab asks of the guest; it is answered when everything that was sent before has been done. */
export type GuestOrder =
  /** From now on what comes by eth0 is the lab's to see, and the guest's own kernel is silent. */
  | { readonly do: 'take' }
  /** Tells how the frames before it fared. */
  | { readonly do: 'settle' }
  /** The guest's own kernel answers for itself, or nobody, again. */
  | { readonly do: 'be-silent' }
  | { readonly do: 'be-honest'; readonly address: string; readonly gateway: string }
  /** By the guest's own kernel; data parts of that exchange go both ways. */
  | {
      readonly do: 'exchange';
      readonly exchange: number;
      readonly protocol: 'tcp' | 'udp';
      readonly address: string;
      readonly port: number;
      readonly deadlineMs: number;
    }
  | { readonly do: 'close'; readonly exchange: number }
  /** What the guest's own kernel has learned. */
  | { readonly do: 'path-mtu'; readonly address: string };

export interface GuestAnswer {
  readonly id: number;
  readonly error?: string;
  readonly text?: string;
  /** Of `settle`, since the last one: frames that the kernel did not take, and what it said first. */
  readonly refused?: number;
  readonly why?: string;
  /** Frames that came and were not passed on: too many waited. */
  readonly beyond?: number;
}

const headerOctets = 4;
/** More than the largest frame of a tap. */
export const maxPartOctets = 1 << 17;
/** Of an exchange, in one part. */
export const maxDataOctets = 1 << 16;

const kindNamed = new Map<number, PartKind>(
  Object.entries(partKinds).map(([name, number]) => [number, name as PartKind]),
);

export function packed(kind: PartKind, data: Uint8Array): Buffer {
  if (data.length > maxPartOctets) throw new RangeError(`a part has at most ${maxPartOctets} octets`);
  const part = Buffer.allocUnsafe(headerOctets + data.length);
  part.writeUInt32LE(partKinds[kind] * 2 ** 24 + data.length, 0);
  part.set(data, headerOctets);
  return part;
}

export class PartReader {
  readonly #take: (part: Part) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(take: (part: Part) => void) {
    this.#take = take;
  }

  /** @throws RangeError on what is no part */
  read(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (rest.length >= headerOctets) {
      const header = rest.readUInt32LE(0);
      const [kind, octets] = [kindNamed.get(header >>> 24), header & 0xffffff];
      if (kind === undefined || octets > maxPartOctets) throw new RangeError('what came is no part');
      if (rest.length < headerOctets + octets) break;
      this.#take({ kind, data: Buffer.from(rest.subarray(headerOctets, headerOctets + octets)) });
      rest = rest.subarray(headerOctets + octets);
    }
    this.#held = Buffer.from(rest);
  }
}

/** Of an exchange: its number, then octets; none: it is over. */
export function dataPart(exchange: number, octets: Uint8Array): Buffer {
  const data = Buffer.allocUnsafe(4 + octets.length);
  data.writeUInt32LE(exchange, 0);
  data.set(octets, 4);
  return packed('data', data);
}
