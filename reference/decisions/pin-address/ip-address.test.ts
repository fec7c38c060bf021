/** Text of addresses and prefixes: strict, total, and the same octets both ways. */
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress, parsePrefix } from './ip-address.ts';

const octets = (text: string) => [...(parseAddress(text) ?? [])];

describe('an IPv4 address', () => {
  test.each(['0.0.0.0', '1.2.3.4', '9.10.99.100', '199.200.249.250', '255.255.255.255'])(
    '%s is always its four octets, and written as it was read',
    (text) => {
      expect(octets(text)).toEqual(text.split('.').map(Number));
      expect(formatAddress(Uint8Array.from(octets(text)))).toBe(text);
    },
  );

  test.each([
    '',
    '1.2.3',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.4.',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.260',
    '1.2.3.300',
    '256.2.3.4',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.4x',
    'x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1,2,3,4',
    '1.2.3.-4',
    '0x1.2.3.4',
    '1.2.3.1234',
  ])('is never read from %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

describe('an IPv6 address', () => {
  const zeros = (count: number) => Array<number>(count).fill(0);

  test.each<[string, number[], string]>([
    ['::', zeros(16), '::'],
    ['::1', [...zeros(15), 1], '::1'],
    ['1::', [0, 1, ...zeros(14)], '1::'],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8], '1:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0], '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', [0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8], '0:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:1.2.3.4', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4], '1:2:3:4:5:6:102:304'],
    ['::1.2.3.4', [...zeros(12), 1, 2, 3, 4], '::102:304'],
    ['64:ff9b::1.2.3.4', [0, 0x64, 0xff, 0x9b, ...zeros(8), 1, 2, 3, 4], '64:ff9b::102:304'],
    ['ABCD:ef01::9', [0xab, 0xcd, 0xef, 1, ...zeros(11), 9], 'abcd:ef01::9'],
    ['0012:0::', [0, 0x12, ...zeros(14)], '12::'],
    ['1:0:0:2:0:0:0:3', [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3], '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', [0, 1, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 4], '1::2:3:0:0:4'],
  ])('%s is always its sixteen octets, and written in the one form of RFC 5952', (text, bytes, written) => {
    expect(octets(text)).toEqual(bytes);
    expect(formatAddress(Uint8Array.from(bytes))).toBe(written);
  });

  test.each([
    ':',
    ':::',
    '1',
    '1:',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8:',
    ':1:2:3:4:5:6:7',
    ':1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4::5:6:7:8',
    '1::2::3',
    '::1::',
    '12345::',
    '::g',
    '::-1',
    '::1 ',
    ' ::1',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '1:2:3:4:5:1.2.3.4',
    '1.2.3.4:5:6:7:8:9:10:11',
    'fe80::1%eth0',
    `${'0'.repeat(46)}::`,
  ])('is never read from %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test('is always written from the place where it stands', () => {
    const bytes = Uint8Array.from([9, ...octets('2001:db8::7'), 9, 1, 2, 3, 4, 9]);
    expect(formatAddress(bytes, 1, 16)).toBe('2001:db8::7');
    expect(formatAddress(bytes, 18, 4)).toBe('1.2.3.4');
  });

  test('is read up to the longest text that an address has, 45 characters', () => {
    expect(parseAddress('0000:0000:0000:0000:0000:ffff:255.255.255.255')).not.toBeNull();
  });
});

describe('a prefix', () => {
  test.each<[string, number[], number]>([
    ['10.0.0.0/8', [10, 0, 0, 0], 8],
    ['10.128.0.0/9', [10, 128, 0, 0], 9],
    ['0.0.0.0/0', [0, 0, 0, 0], 0],
    ['255.255.255.255/32', [255, 255, 255, 255], 32],
    ['::/0', Array<number>(16).fill(0), 0],
    ['::1/128', [...Array<number>(15).fill(0), 1], 128],
  ])('%s is always read with its octets and length', (text, bytes, length) => {
    const prefix = parsePrefix(text, 'field');
    expect({ ...prefix, bytes: [...prefix.bytes] }).toEqual({ bytes, length, text });
  });

  test.each([
    ['10.0.0.0', 'is no address with a prefix length'],
    ['10.0.0.0/', 'is no address with a prefix length'],
    ['10.0.0.0/8x', 'is no address with a prefix length'],
    ['10.0.0.0/0008', 'is no address with a prefix length'],
    ['/8', 'is no address with a prefix length'],
    ['10.0.0.0//8', 'is no address with a prefix length'],
    ['x/10.0.0.0/8', 'is no address with a prefix length'],
    ['10.0.0.0/33', 'has a length over 32'],
    ['::/129', 'has a length over 128'],
    ['10.0.0.1/31', 'has host bits set'],
    ['10.0.1.0/23', 'has host bits set'],
    ['128.0.0.0/0', 'has host bits set'],
    ['::1/127', 'has host bits set'],
  ])('%s is refused by its field, its text and what is wrong: it %s', (text, what) => {
    expect(() => parsePrefix(text, 'denyCIDRs')).toThrow(
      expect.objectContaining({
        code: 'bad-prefix',
        message: `denyCIDRs: ${JSON.stringify(text)} ${what}`,
        remediation: 'write it as 10.96.0.0/12 or fd00::/8',
      }),
    );
  });

  test('is never repeated at length in the message', () => {
    const text = 'x'.repeat(100);
    expect(() => parsePrefix(text, 'f')).toThrow(`f: "${'x'.repeat(64)}" is no address with a prefix length`);
  });
});
