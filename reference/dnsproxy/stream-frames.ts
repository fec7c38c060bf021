/**
 * DNS messages in a stream of octets: each after its length of two octets (RFC 1035 section 4.2.2), however they are
 * cut.
 * Invariant: never holds more than one message that is not whole.
 */
export class StreamFrames {
  #held: Uint8Array = new Uint8Array(0);

  /** Whole messages, in order; what is left waits for more. */
  push(octets: Uint8Array): Uint8Array[] {
    let rest = this.#held.length === 0 ? octets : Buffer.concat([this.#held, octets]);
    const messages: Uint8Array[] = [];
    while (rest.length >= 2) {
      const length = ((rest[0] as number) << 8) | (rest[1] as number);
      if (rest.length < 2 + length) break;
      messages.push(new Uint8Array(rest.subarray(2, 2 + length)));
      rest = rest.subarray(2 + length);
    }
    this.#held = new Uint8Array(rest);
    return messages;
  }

  /** A message has begun and is not whole. */
  get isPartial(): boolean {
    return this.#held.length > 0;
  }
}

export function framed(message: Uint8Array): Uint8Array {
  const octets = new Uint8Array(2 + message.length);
  octets[0] = message.length >> 8;
  octets[1] = message.length;
  octets.set(message, 2);
  return octets;
}
