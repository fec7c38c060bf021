/**
 * DNS messages in a stream of octets: each after its length of two octets (RFC 1035 section 4.2.2), however they are
 * cut.
 * Invariant: an octet is copied once, even where each comes by itself; never holds more than one message that is not
 * whole, beside what came with its end.
 */
export class StreamFrames {
  readonly #most: number;
  #pieces: Uint8Array[] = [];
  #octets = 0;
  /** Length of the message that has begun, its prefix included; 0 until that is known. */
  #wanted = 0;

  /** @param most octets of one message */
  constructor(most = 65_535) {
    this.#most = most;
  }

  /** Whole messages, in order; what is left waits for more. Null: one is longer than it may be. */
  push(octets: Uint8Array): Uint8Array[] | null {
    if (octets.length > 0) this.#pieces.push(octets);
    this.#octets += octets.length;
    const messages: Uint8Array[] = [];
    while (this.#octets >= Math.max(2, this.#wanted)) {
      const all = this.#pieces.length === 1 ? (this.#pieces[0] as Uint8Array) : Buffer.concat(this.#pieces);
      this.#wanted = 2 + (((all[0] as number) << 8) | (all[1] as number));
      if (this.#wanted - 2 > this.#most) return null;
      if (all.length < this.#wanted) {
        this.#pieces = [all];
        break;
      }
      messages.push(new Uint8Array(all.subarray(2, this.#wanted)));
      this.#pieces = all.length === this.#wanted ? [] : [all.subarray(this.#wanted)];
      this.#octets = all.length - this.#wanted;
      this.#wanted = 0;
    }
    return messages;
  }

  /** A message has begun and is not whole. */
  get isPartial(): boolean {
    return this.#octets > 0;
  }
}

export function framed(message: Uint8Array): Uint8Array {
  const octets = new Uint8Array(2 + message.length);
  octets[0] = message.length >> 8;
  octets[1] = message.length;
  octets.set(message, 2);
  return octets;
}
