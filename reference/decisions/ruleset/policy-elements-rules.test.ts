/** Entries of an allow list: which is a CIDR, which a host of the DNS proxy's, which neither; their elements. */
import { describe, expect, test } from 'vitest';
import { cidrElements, parseCidrEntry } from './policy-elements.ts';

const ten = { first: 0x0a000000n, last: 0x0affffffn };

describe('an entry', () => {
  test('is always TCP unless it says UDP', () => {
    const entry = { port: 443, interval: ten, family: 'ipv4' };
    expect(parseCidrEntry('10.0.0.0/8:443')).toEqual({ protocol: 'tcp', ...entry });
    expect(parseCidrEntry('tcp://10.0.0.0/8:443')).toEqual({ protocol: 'tcp', ...entry });
    expect(parseCidrEntry('udp://10.0.0.0/8:443')).toEqual({ protocol: 'udp', ...entry });
  });

  test('of an address is always the CIDR of it alone; brackets around IPv6 are left out', () => {
    expect(parseCidrEntry('192.0.2.1:8443')).toEqual({
      protocol: 'tcp',
      port: 8_443,
      interval: { first: 0xc0000201n, last: 0xc0000201n },
      family: 'ipv4',
    });
    const one = { first: (0xfdn << 120n) + 1n, last: (0xfdn << 120n) + 1n };
    expect(parseCidrEntry('[fd00::1]:53')).toEqual({
      protocol: 'tcp',
      port: 53,
      interval: one,
      family: 'ipv6',
    });
    expect(parseCidrEntry('udp://[fd00::/8]:53')).toEqual({
      protocol: 'udp',
      port: 53,
      interval: { first: 0xfdn << 120n, last: (0xfen << 120n) - 1n },
      family: 'ipv6',
    });
  });

  test.each([
    'api.example.com:443',
    '*.example.com:443',
    'udp://example.com:53',
    '10.0.0:443',
    'sctp://10.0.0.1:5',
  ])('of a host is never a CIDR: %s', (entry) => {
    expect(parseCidrEntry(entry)).toBeNull();
  });

  test('has a port from 1 to 65535', () => {
    expect(parseCidrEntry('10.0.0.0/8:1')?.port).toBe(1);
    expect(parseCidrEntry('10.0.0.0/8:65535')?.port).toBe(65_535);
  });

  test.each([
    '10.0.0.0/8',
    '10.0.0.0/8:',
    '10.0.0.0/8:0',
    '10.0.0.0/8:65536',
    '10.0.0.0/8:100000',
    '10.0.0.0/8:443 ',
    '10.0.0.0/8:-1',
    'tcp://:443',
    ':443',
    '',
  ])('without one, or without a host, is always refused by its text, and with what to write: %j', (entry) => {
    expect(() => parseCidrEntry(entry)).toThrow(
      expect.objectContaining({
        code: 'bad-allow-entry',
        message: `allow: ${JSON.stringify(entry)}: it has no port from 1 to 65535`,
        remediation: 'write [tcp|udp://]CIDR:port, for example 10.0.0.0/8:443',
      }),
    );
  });

  test('that is long is never repeated whole', () => {
    expect(() => parseCidrEntry('a'.repeat(301))).toThrow(
      `allow: "${'a'.repeat(300)}": it has no port from 1 to 65535`,
    );
  });

  test.each([
    ['10.0.0.1/8:443', 'allow: "10.0.0.1/8" has host bits set'],
    ['10.0.0.0/33:443', 'allow: "10.0.0.0/33" has a length over 32'],
    ['10.0.0.0/8udp://:443', 'allow: "10.0.0.0/8udp://" is no address with a prefix length'],
    ['10.0.0.0/8tcp://:443', 'allow: "10.0.0.0/8tcp://" is no address with a prefix length'],
  ])('that begins as a CIDR and is none is always refused: %s', (entry, message) => {
    expect(() => parseCidrEntry(entry)).toThrow(expect.objectContaining({ code: 'bad-prefix', message }));
  });
});

describe('the brackets of an entry', () => {
  test('leave the prefix length of IPv6 outside, or are not there at all', () => {
    const inside = parseCidrEntry('[fd00::/8]:53');
    expect(parseCidrEntry('[fd00::]/8:53')).toEqual(inside);
    expect(parseCidrEntry('fd00::/8:53')).toEqual(inside);
    expect(parseCidrEntry('[fd00::]/16:53')).toEqual(parseCidrEntry('[fd00::/16]:53'));
  });

  test.each([
    '[10.0.0.0/8]:443',
    '1[0].0.0.1:443',
    '[fd00::1:443',
    'fd00::1]:443',
    '[[fd00::1]]:443',
    '[fd00::1]x:443',
    'x[fd00::1]:443',
    'fd00:[:1]:443',
    '[]:443',
    '[fd00::1]/:443',
    '[example.com]:443',
  ])('are always refused around anything but IPv6: %s', (entry) => {
    expect(() => parseCidrEntry(entry)).toThrow(
      expect.objectContaining({
        code: 'bad-allow-entry',
        message: `allow: ${JSON.stringify(entry)}: its brackets are not around an IPv6 address or CIDR`,
        remediation: 'write [tcp|udp://][IPv6 CIDR]:port, for example [fd00::/8]:443',
      }),
    );
  });

  test('are told of by the first 300 characters', () => {
    const entry = `[${'a'.repeat(400)}]:443`;
    expect(() => parseCidrEntry(entry)).toThrow(
      expect.objectContaining({
        message: `allow: ${JSON.stringify(entry.slice(0, 300))}: its brackets are not around an IPv6 address or CIDR`,
      }),
    );
  });
});

describe('the elements of an allow list', () => {
  const allow = [
    'udp://192.168.4.0/24:53',
    'api.example.com:443',
    '10.128.0.0/9:443',
    '10.0.0.0/9:443',
    '10.1.0.0/16:443',
    '192.0.2.7:443',
    '10.0.0.0/8:80',
    '[fd00::/16]:443',
    'udp://10.0.0.0/8:443',
  ];

  test('are always disjoint for each protocol and port, in their order', () => {
    expect(cidrElements(allow, 'ipv4')).toEqual([
      { concat: [{ range: ['10.0.0.0', '10.255.255.255'] }, 'tcp', 443] },
      { concat: ['192.0.2.7', 'tcp', 443] },
      { concat: [{ range: ['10.0.0.0', '10.255.255.255'] }, 'tcp', 80] },
      { concat: [{ range: ['10.0.0.0', '10.255.255.255'] }, 'udp', 443] },
      { concat: [{ range: ['192.168.4.0', '192.168.4.255'] }, 'udp', 53] },
    ]);
  });

  test('are only those of the family', () => {
    expect(cidrElements(allow, 'ipv6')).toEqual([
      { concat: [{ range: ['fd00::', 'fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff'] }, 'tcp', 443] },
    ]);
    expect(cidrElements(['api.example.com:443'], 'ipv4')).toEqual([]);
  });

  test('never depend on the order of the list', () => {
    for (const family of ['ipv4', 'ipv6'] as const)
      expect(cidrElements(allow.toReversed(), family)).toEqual(cidrElements(allow, family));
  });
});
