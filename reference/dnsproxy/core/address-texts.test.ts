/** Texts of addresses: the same as without a memory, before and after it was emptied. */
import { expect, test } from 'vitest';
import { formatAddress } from '../../decisions/pin-address/ip-address.ts';
import { AddressTexts } from './address-texts.ts';

test('always gives the text that an address has, for more addresses than are remembered', () => {
  const texts = new AddressTexts();
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 10_000; number++) {
      const bytes = Uint8Array.of(0, 255 - (number >> 8), number >> 8, number & 255, 1);
      expect(texts.of(bytes, 1, 4)).toBe(formatAddress(bytes, 1, 4));
    }
  }
  const six = Uint8Array.from({ length: 16 }, (_, index) => index);
  expect(texts.of(six, 0, 16)).toBe(formatAddress(six));
});
