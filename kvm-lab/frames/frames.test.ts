/** Frames are what the field says they are: known checksums, and a reading that gives back what was built. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fragmentBody, ipv4, ipv6, padOptions, protocols } from './internet.ts';
import { arp, broadcastMac, ethernet, etherTypes, snap } from './link.ts';
import { address, addressText, checksum, mac, macText } from './octets.ts';
import { frameInWords, readFrame } from './read-frame.ts';
import { dnsMessage, flags, icmpv6, tcp, udp } from './transport.ts';

const link = { from: '02:00:00:00:00:02', to: '02:00:00:00:00:01' };
const ends = { from: '10.0.0.2', to: '10.0.0.1', fromPort: 4_000, toPort: 53 };

describe('octets', () => {
  test('always sum up as RFC 1071 section 3 shows', () => {
    expect(checksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(0xffff ^ 0xddf2);
  });

  test('always give an address back', () => {
    for (const text of [
      '10.0.0.1',
      '::',
      '::1',
      'fe80::ff:fe00:a01',
      '2001:db8::1:0:0:1',
      'ff02::1:ff00:1',
    ]) {
      expect(addressText(address(text))).toBe(text);
    }
    expect(addressText(address('::ffff:10.0.0.1'))).toBe('::ffff:a00:1');
    expect(macText(mac(link.from))).toBe(link.from);
  });
});

describe('packets', () => {
  test('always carry checksums that a receiver finds right', () => {
    const datagram = udp(ends, ends, Buffer.from('odd'));
    const pseudo = Buffer.concat([
      address(ends.from),
      address(ends.to),
      Buffer.from([0, 17, 0, datagram.length]),
    ]);
    expect(checksum(pseudo, datagram)).toBe(0);
    expect(checksum(ipv4(ends, protocols.udp, datagram).subarray(0, 20))).toBe(0);
    const pair = { from: 'fe80::2', to: 'fe80::1' };
    const message = icmpv6(pair, 128, 0, Buffer.alloc(8, 7));
    const pseudo6 = Buffer.concat([
      address(pair.from),
      address(pair.to),
      Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]),
    ]);
    expect(checksum(pseudo6, message)).toBe(0);
  });

  test('are read as they were built, behind tags, options and extension headers', () => {
    const segment = tcp(ends, {
      ...ends,
      sequence: 7,
      acknowledgement: 8,
      flags: flags.syn,
      data: Buffer.from('x'),
    });
    const options = Buffer.from([148, 4, 0, 0]);
    const tags = [
      { type: etherTypes.qinq, vlan: 5 },
      { type: etherTypes.vlan, vlan: 6 },
    ];
    const frame = ethernet(link, etherTypes.ipv4, ipv4(ends, protocols.tcp, segment, { options }), tags);
    expect(readFrame(frame)).toMatchObject({
      ...ends,
      vlans: [5, 6],
      tcpFlags: flags.syn,
      sequence: 7,
      acknowledgement: 8,
    });
    const pair = { from: 'fe80::2', to: 'fe80::1', fromPort: 1, toPort: 2 };
    const chain = [
      { type: protocols.hopByHop, body: padOptions },
      { type: protocols.fragment, body: fragmentBody(0, false, 9) },
    ];
    const six = ethernet(
      link,
      etherTypes.ipv6,
      ipv6(pair, protocols.udp, udp(pair, pair, Buffer.from('data')), chain),
    );
    expect(readFrame(six)).toMatchObject({ ...pair, protocol: protocols.udp, data: Buffer.from('data') });
  });

  test('are told in the field’s words', () => {
    const question = udp(ends, ends, dnsMessage(1, 'a.example', null));
    expect(frameInWords(ethernet(link, etherTypes.ipv4, ipv4(ends, protocols.udp, question)))).toBe(
      '10.0.0.2:4000 > 10.0.0.1:53 udp',
    );
    const who = arp({ operation: 1, senderMac: link.from, senderAddress: ends.from, targetAddress: ends.to });
    expect(frameInWords(ethernet({ ...link, to: broadcastMac }, etherTypes.arp, who))).toBe(
      'arp request 10.0.0.2 > 10.0.0.1',
    );
    expect(readFrame(snap(link, etherTypes.ipv4, Buffer.alloc(20))).etherType).toBe(28);
  });

  test('have a reading whatever the octets are', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100),
        (octets, type) => {
          expect(() => frameInWords(Buffer.from(octets))).not.toThrow();
          expect(() => frameInWords(ethernet(link, type, octets))).not.toThrow();
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
