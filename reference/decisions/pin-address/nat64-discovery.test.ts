/** RFC 7050: the prefix that the answers show is one that the policy can be compiled with. */
import { describe, expect, test } from 'vitest';
import { parseAddress } from './ip-address.ts';
import { discoverNat64Prefixes } from './nat64-discovery.ts';
import { compileAddressPolicy } from './pin-address.ts';

const answer = (text: string) => parseAddress(text) ?? new Uint8Array(0);

describe('discovery by ipv4only.arpa', () => {
  test.each([
    ['64:ff9b::/96', '64:ff9b::c000:aa'],
    ['fd7a:115c:a1e0:64::/96', 'fd7a:115c:a1e0:64::c000:ab'],
    ['2607:f8b0:4004:64::/64', '2607:f8b0:4004:64:c0:0:aa00:0'],
    ['fd00:6464::/56', 'fd00:6464:0:c0:0:aa::'],
    ['64:ff9b:1::/48', '64:ff9b:1:c000:0:aa00::'],
    ['2a02:1200:4000::/40', '2a02:1200:40c0:0:aa::'],
    ['2001:67c::/32', '2001:67c:c000:ab::'],
  ])('always finds %s in %s, and a policy takes it', (prefix, text) => {
    const found = discoverNat64Prefixes([answer(text)]);
    expect(found).toContain(prefix);
    compileAddressPolicy({ denyCIDRs: [], nat64Prefixes: found, pinPrivateCIDRs: [] });
  });

  test('never finds a prefix where the well-known IPv4 is not', () => {
    expect(
      discoverNat64Prefixes([answer('64:ff9b::c000:ac'), answer('2001:db8::1'), new Uint8Array(4)]),
    ).toEqual([]);
  });

  test('never finds a prefix in what is no IPv6 address', () => {
    expect(discoverNat64Prefixes([answer('2001:67c:c000:aa::').subarray(0, 15)])).toEqual([]);
  });

  test('never takes an answer with bits 64 to 71 set', () => {
    expect(discoverNat64Prefixes([answer('2001:67c:c000:aa:100::')])).toEqual([]);
  });

  test('always counts an ambiguous answer in every way it can be read', () => {
    expect(discoverNat64Prefixes([answer('2001:67c:c000:aa::c000:aa')])).toEqual([
      '2001:67c:c000:aa::/96',
      '2001:67c::/32',
    ]);
  });
});
