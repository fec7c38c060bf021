/** Frames as octets: checksums, tags, capture files. */
import { describe, expect, test } from 'vitest';
import { guestFrame } from '#properties/oracles/nft/fixtures.ts';
import { correctChecksums, ipHeader, pcapFile, withPriorityTag } from './frame.ts';

const udpChecksumAt = 14 + 20 + 6;

describe('checksums', () => {
  test('are made right, and a right one stays', () => {
    const right = guestFrame();
    const wrong = Buffer.from(right);
    wrong.writeUInt16BE(0x1234, udpChecksumAt);
    expect(correctChecksums(wrong, true)).toEqual(right);
    expect(correctChecksums(right, true)).toEqual(right);
    expect(correctChecksums(wrong.subarray(14), false)).toEqual(right.subarray(14));
  });

  test('of IPv6 cover its own pseudo header', () => {
    const right = guestFrame({ source: 'fd00::2', destination: 'fd00::1' });
    const wrong = Buffer.from(right);
    wrong.writeUInt16BE(1, 14 + 40 + 6);
    expect(correctChecksums(wrong, true)).toEqual(right);
  });

  test('of a fragment or a cut message are never touched', () => {
    const fragment = Buffer.from(guestFrame({ fragment: 0x2000 }));
    fragment.writeUInt16BE(7, udpChecksumAt);
    expect(correctChecksums(fragment, true)).toEqual(fragment);
    expect(correctChecksums(Buffer.alloc(10), true)).toEqual(Buffer.alloc(10));
    expect(correctChecksums(Buffer.alloc(10), false)).toEqual(Buffer.alloc(10));
  });
});

test('a priority tag stands behind the MACs, and the IP header is still found', () => {
  const tagged = withPriorityTag(guestFrame());
  expect(tagged.subarray(12, 18).toString('hex')).toBe('810000000800');
  expect(ipHeader(tagged, true)).toEqual({ at: 18, family: 4 });
});

test('a capture file has one packet, whole, of the link type that fits', () => {
  const frame = guestFrame();
  const file = pcapFile(frame, true);
  expect(file.subarray(0, 4).toString('hex')).toBe('d4c3b2a1');
  expect(file.readUInt32LE(20)).toBe(1);
  expect(file.readUInt32LE(32)).toBe(frame.length);
  expect(file.subarray(40)).toEqual(frame);
  expect(pcapFile(frame.subarray(14), false).readUInt32LE(20)).toBe(101);
});
