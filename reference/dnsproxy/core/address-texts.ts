/**
 * Addresses as text. What many names resolve to comes again and again: its text is made once, and found again by what
 * the engine knows of it.
 * Invariant: bounded; an address has one text, whether it was known or not.
 */
import { formatAddress } from '../../decisions/pin-address/ip-address.ts';

const most = 4_096;

export class AddressTexts {
  /** Of IPv4, by its number. */
  readonly #known = new Map<number, string>();

  of(bytes: Uint8Array, offset: number, length: 4 | 16): string {
    if (length !== 4) return formatAddress(bytes, offset, length);
    const number =
      ((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number);
    const known = this.#known.get(number);
    if (known !== undefined) return known;
    if (this.#known.size >= most) this.#known.clear();
    const text = formatAddress(bytes, offset, length);
    this.#known.set(number, text);
    return text;
  }
}
