/** The reference's pin-address behind the subject protocol: text in, text out. */
import { formatAddress, parseAddress } from '#reference/decisions/pin-address/ip-address.ts';
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { pinAddress } from '../../protocol/pin-address.ts';

export const bind: Bind<typeof pinAddress> = (config) => {
  const policy = compileAddressPolicy(config);
  return ({ address }) => {
    const bytes = parseAddress(address);
    if (bytes === null) return { verdict: 'refuse', rule: 'not-an-address' };
    const { pin, family, rule } = policy.decide(bytes, 0, bytes.length === 4 ? 4 : 16);
    if (!pin) return { verdict: 'refuse', rule };
    const pinned = family === 'ipv4' && bytes.length === 16 ? bytes.subarray(12) : bytes;
    return { verdict: 'pin', pinnedAs: formatAddress(pinned), rule };
  };
};
