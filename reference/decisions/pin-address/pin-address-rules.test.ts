/** Decoders and configuration rule by rule: what carries an IPv4, what only looks like it, who has the last word. */
import { describe, expect, test } from 'vitest';
import { parseAddress } from './ip-address.ts';
import { type AddressPolicy, compileAddressPolicy } from './pin-address.ts';

const empty: AddressPolicy = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };

function decide(text: string, policy: Partial<AddressPolicy> = {}) {
  const bytes = parseAddress(text);
  if (bytes === null) throw new Error(`no address: ${text}`);
  return compileAddressPolicy({ ...empty, ...policy }).decide(bytes, 0, bytes.length === 4 ? 4 : 16);
}

describe('an interface identifier', () => {
  const subnet = '2a00:1450:4001:802';

  test.each(['0:5efe', '200:5efe'])(
    'of ISATAP always carries the IPv4 in its low 32 bits: %s',
    (identifier) => {
      expect(decide(`${subnet}:${identifier}:808:808`)).toEqual({
        pin: true,
        family: 'ipv6',
        rule: 'ISATAP (RFC 5214) of public',
      });
      expect(decide(`${subnet}:${identifier}:a00:1`)).toEqual({
        pin: false,
        family: 'ipv6',
        rule: 'ISATAP (RFC 5214) of private use (RFC 1918)',
      });
    },
  );

  test.each(['100:5efe', '300:5efe', '1:5efe', '201:5efe', '0:5ffe', '0:de5f', '0:5eff', '200:5efd'])(
    'that differs from ISATAP in one octet never carries one: %s',
    (identifier) => {
      expect(decide(`${subnet}:${identifier}:a00:1`)).toMatchObject({ pin: true, rule: 'public' });
    },
  );

  test('never opens what is refused by itself', () => {
    for (const refused of ['fd00::5efe:808:808', '2001:db8::200:5efe:808:808']) {
      expect(decide(refused)).toEqual(decide(refused.replace('5efe', '5eff')));
      expect(decide(refused).pin).toBe(false);
    }
  });

  test('is always asked beside a decoder: one block blocks, and the decoder has the name', () => {
    const nat64 = { nat64Prefixes: ['2001:67c::/32'] };
    expect(decide('2001:67c:808:808:0:5efe:a00:1', nat64)).toMatchObject({
      pin: false,
      rule: 'ISATAP (RFC 5214) of private use (RFC 1918)',
    });
    expect(decide('2001:67c:808:808:0:5efe:808:808', nat64)).toMatchObject({
      pin: true,
      rule: 'NAT64 2001:67c::/32 (RFC 6052) of public',
    });
  });
});

describe('an IPv4-mapped address', () => {
  test('is always its IPv4', () => {
    expect(decide('::ffff:8.8.8.8')).toEqual({ pin: true, family: 'ipv4', rule: 'public' });
  });

  test.each([
    '::ff00:808:808',
    '::ff:808:808',
    '::fffe:808:808',
    '::feff:808:808',
    '::1:ffff:808:808',
    '1::ffff:808:808',
  ])('is never one that differs in one octet: %s', (text) => {
    expect(decide(text)).toEqual({ pin: false, family: 'ipv6', rule: 'outside 2000::/3' });
  });
});

describe('overlapping decoders', () => {
  const [wide, narrow] = ['2001:67c::/32', '2001:67c:808::/48'];
  /** 8.8.10.0 under the wide one, 10.0.1.2 under the narrow one. */
  const nested = '2001:67c:808:a00:1:200::';

  test.each([[[wide, narrow]], [[narrow, wide]]])(
    'are always all asked, whatever their order: %j',
    (nat64Prefixes) => {
      expect(decide(nested, { nat64Prefixes })).toMatchObject({
        pin: false,
        rule: 'NAT64 2001:67c:808::/48 (RFC 6052) of private use (RFC 1918)',
      });
      expect(decide(nested, { nat64Prefixes: [wide] })).toMatchObject({ pin: true });
    },
  );

  test('that are one and the same always decide as one', () => {
    const once = decide('64:ff9b::808:808');
    expect(decide('64:ff9b::808:808', { nat64Prefixes: ['64:ff9b::/96', '64:ff9b::/96'] })).toEqual(once);
    expect(once).toEqual({ pin: true, family: 'ipv6', rule: 'NAT64 64:ff9b::/96 (RFC 6052) of public' });
  });
});

describe('a verdict', () => {
  test('on what is carried is always shared, one for each decoder and inner rule', () => {
    const policy = compileAddressPolicy(empty);
    const verdictOn = (text: string) => policy.decide(parseAddress(text) ?? new Uint8Array(16), 0, 16);
    expect(verdictOn('64:ff9b::808:808')).toBe(verdictOn('64:ff9b::909:909'));
    expect(verdictOn('64:ff9b::a00:1')).toBe(verdictOn('64:ff9b::a00:2'));
    expect(verdictOn('64:ff9b::a00:1')).not.toBe(verdictOn('2002:a00:1::'));
    expect(Object.isFrozen(verdictOn('64:ff9b::808:808'))).toBe(true);
  });

  test('always says in which set the pin stands', () => {
    expect(decide('8.8.8.8').family).toBe('ipv4');
    expect(decide('2606:4700::1111').family).toBe('ipv6');
    expect(decide('fec0::1').family).toBe('ipv6');
    expect(decide('2001:67c:808:808:100::', { nat64Prefixes: ['2001:67c::/32'] })).toEqual({
      pin: false,
      family: 'ipv6',
      rule: 'nat64-u-octet',
    });
  });
});

describe('a NAT64 prefix', () => {
  test.each([
    ['2001:db8:0:0:100::/72', 'its length is none of /32 /40 /48 /56 /64 /96'],
    ['2001:db8::/33', 'its length is none of /32 /40 /48 /56 /64 /96'],
    ['2001:db8:0:0:100::/96', 'bits 64 to 71 are not zero'],
    ['10.0.0.0/8', 'it is no IPv6 prefix'],
  ])('%s is refused by its text, and with what to do: %s', (text, what) => {
    expect(() => compileAddressPolicy({ ...empty, nat64Prefixes: [text] })).toThrow(
      expect.objectContaining({
        code: 'bad-nat64-prefix',
        message: `nat64Prefixes: ${text}: ${what}`,
        remediation:
          'name the prefix that the NAT64 translator uses (RFC 6052 section 2.2), for example 64:ff9b:1::/96',
      }),
    );
  });
});
