/**
 * The DNS decisions on bytes: what the claims judge by hex, here by structure; and allow entries that are
 * refused.
 */
import { describe, expect, test } from 'vitest';
import { compileAllowlist } from './allowlist.ts';
import { nameKey, parseHostName, readName } from './name.ts';
import { readMessage } from './wire.ts';

function nameOf(text: string): Uint8Array {
  const name = parseHostName(text);
  if (name === null) throw new Error(`no host name: ${text}`);
  return name;
}

describe('the allowlist', () => {
  const allowlist = compileAllowlist([
    'example.com:443',
    'udp://*.wild.test:53',
    'example.com:443',
    '10.0.0.0/8:443',
    '[fd00::]/8:80',
  ]);

  test('always gives every port of a name once', () => {
    expect(allowlist.portsOf(nameOf('example.com'))).toEqual([
      { protocol: 'tcp', port: 443, entry: 'example.com:443' },
    ]);
    expect(allowlist.portsOf(nameOf('A.b.WILD.test'))).toMatchObject([{ protocol: 'udp', port: 53 }]);
  });

  test('never lets a wildcard match itself, nor a CIDR entry match a name', () => {
    expect(allowlist.portsOf(nameOf('wild.test'))).toEqual([]);
    expect(allowlist.portsOf(nameOf('10'))).toEqual([]);
  });

  test.each([
    'example.com',
    'example.com:0',
    'example.com:65536',
    ':443',
    'exa mple.com:443',
    'ex\u00e4mple.com:443',
    '*.*.test:443',
    'http://example.com:80',
    `${'l'.repeat(64)}.test:1`,
  ])('refuses the entry %j by its text', (entry) => {
    expect(() => compileAllowlist([entry])).toThrow(expect.objectContaining({ code: 'bad-allow-entry' }));
  });
});

describe('a name on the wire', () => {
  const at12 = (...octets: number[]) => Uint8Array.from([...Array.from({ length: 12 }, () => 0), ...octets]);

  test('always ends after its first pointer', () => {
    const message = at12(1, 97, 0, 1, 98, 0xc0, 12, 255);
    const read = readName(message, 15);
    expect(read?.end).toBe(19);
    expect(nameKey(read?.name ?? new Uint8Array())).toBe('\u0001b\u0001a\u0000');
  });

  test('never follows a pointer twice to one place, however long the chain', () => {
    const chain = at12(
      0,
      ...Array.from({ length: 200 }, (_, index) => [0xc0, index === 0 ? 12 : 13 + 2 * (index - 1)]).flat(),
    );
    expect(readName(chain, chain.length - 2)).not.toBeNull();
    expect(readName(at12(0xc0, 14, 0xc0, 12), 14)).toBeNull();
  });
});

describe('a message', () => {
  test('is never read in part', () => {
    const whole = Buffer.from(
      '109281800001000100000000076578616d706c6503636f6d0000010001c00c00010001000000780004cb007109',
      'hex',
    );
    expect(readMessage(whole)?.answers).toHaveLength(1);
    for (let length = 0; length < whole.length; length++)
      expect(readMessage(whole.subarray(0, length))).toBeNull();
    expect(readMessage(Buffer.concat([whole, Buffer.from([0])]))).toBeNull();
  });

  test('with a TTL beyond 2³¹ always counts it as zero (RFC 2181 section 8)', () => {
    const hex = '109281800001000100000000076578616d706c6503636f6d0000010001c00c00010001800000000004cb007109';
    expect(readMessage(Buffer.from(hex, 'hex'))?.answers[0]?.ttlSeconds).toBe(0);
  });
});
