/** pin-address: rules by name, and policies that are refused by the entry. */
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from './ip-address.ts';
import { type AddressPolicy, compileAddressPolicy } from './pin-address.ts';

const empty: AddressPolicy = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };

function decide(text: string, policy = empty) {
  const bytes = parseAddress(text);
  if (bytes === null) throw new Error(`no address: ${text}`);
  // A reply holds the octets anywhere: the decision must not depend on where.
  const inside = new Uint8Array([0xff, ...bytes, 0xff]);
  return compileAddressPolicy(policy).decide(inside, 1, bytes.length === 4 ? 4 : 16);
}

describe('a verdict', () => {
  test.each([
    ['93.184.216.34', true, 'public'],
    ['169.254.169.254', false, 'cloud aws: instance metadata'],
    ['168.63.129.16', false, 'cloud azure: wire server'],
    ['10.0.0.1', false, 'private use (RFC 1918)'],
    ['64:ff9b::a9fe:a9fe', false, 'NAT64 64:ff9b::/96 (RFC 6052) of cloud aws: instance metadata'],
    ['64:ff9b::5db8:d822', true, 'NAT64 64:ff9b::/96 (RFC 6052) of public'],
    ['2002:a00:1::', false, '6to4 (RFC 3056) of private use (RFC 1918)'],
    ['::ffff:10.0.0.1', false, 'private use (RFC 1918)'],
    ['fec0::1', false, 'outside 2000::/3'],
    ['fe80::1', false, 'link-local (RFC 4291)'],
    ['2a00:1450:4001:802:200:5efe:7f00:1', false, 'ISATAP (RFC 5214) of loopback (RFC 1122)'],
  ])('on %s always names its rule', (address, pin, rule) => {
    expect(decide(address)).toMatchObject({ pin, rule });
  });

  test('always names the operator’s entry', () => {
    const policy = { ...empty, denyCIDRs: ['8.8.8.0/24'] };
    expect(decide('8.8.8.8', policy).rule).toBe('operator deny 8.8.8.0/24');
    expect(decide('64:ff9b::808:808', policy).rule).toContain('operator deny 8.8.8.0/24');
  });

  test('never lets a NAT64 prefix shorter than /96 carry bits 64 to 71', () => {
    const policy = { ...empty, nat64Prefixes: ['2001:67c::/32'] };
    expect(decide('2001:67c:5db8:d822::', policy).pin).toBe(true);
    expect(decide('2001:67c:5db8:d822:100::', policy)).toMatchObject({ pin: false, rule: 'nat64-u-octet' });
  });

  test('is shared and frozen: nothing is allocated for it', () => {
    const policy = compileAddressPolicy(empty);
    const bytes = Uint8Array.of(1, 1, 1, 1);
    expect(policy.decide(bytes, 0, 4)).toBe(policy.decide(bytes, 0, 4));
    expect(Object.isFrozen(policy.decide(bytes, 0, 4))).toBe(true);
  });
});

describe('a policy', () => {
  test.each([
    ['denyCIDRs', '10.0.0.1/8', 'host bits'],
    ['denyCIDRs', '10.0.0.0/33', 'length over 32'],
    ['denyCIDRs', 'example.com', 'no address'],
    ['denyCIDRs', '10.0.0.0', 'no address with a prefix length'],
    ['pinPrivateCIDRs', 'fd00::1/64', 'host bits'],
    ['nat64Prefixes', '64:ff9b::/960', 'length over 128'],
  ])('with %s %s is refused by the entry', (field, entry, what) => {
    expect(() => compileAddressPolicy({ ...empty, [field]: [entry] })).toThrow(
      expect.objectContaining({ code: 'bad-prefix', message: expect.stringMatching(`${field}.*${what}`) }),
    );
  });

  test.each([
    ['2001:db8::/33', 'none of /32'],
    ['2001:db8:0:0:100::/96', 'bits 64 to 71'],
    ['10.0.0.0/8', 'no IPv6 prefix'],
  ])('with the NAT64 prefix %s is refused by the entry', (entry, what) => {
    expect(() => compileAddressPolicy({ ...empty, nat64Prefixes: [entry] })).toThrow(
      expect.objectContaining({ code: 'bad-nat64-prefix', message: expect.stringContaining(what) }),
    );
  });
});

describe('text of an address', () => {
  test.each([
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1.2.3.4', '1.2.3.4'],
  ])('%s is always written as %s (RFC 5952)', (given, written) => {
    expect(formatAddress(parseAddress(given) ?? new Uint8Array(4))).toBe(written);
  });

  test.each(['1.2.3.4::', '::1.2.3.4:5', '1.2.3', '01.2.3.4', ':::', '1::2::3', 'fe80::1%eth0', '::1/128'])(
    '%s is never taken for an address',
    (text) => expect(parseAddress(text)).toBeNull(),
  );
});
