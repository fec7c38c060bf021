/**
 * The three DNS decisions are total: whatever the protocol lets in, they end, throw nothing, and pin
 * nothing by accident.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dnsConfig } from '../../arbitraries/dns.ts';
import { encodeMessage, hexOf, query, replyTo, types } from '../../models/dns-message.ts';
import { loadSubject } from '../load-subject.ts';

const runs = 3_000;
const reference = await loadSubject('reference', ['dns-query', 'dns-reply', 'dns-build']);
const random = { id: 1, caseBits: '5a'.repeat(32) };
const server = { address: '192.0.2.53', port: 53 };
const transport = fc.constantFrom('udp' as const, 'tcp' as const);

/** Any octets, and real messages cut or with one octet changed, so that every branch is near. */
const name = ['example', 'com'];
const plain = hexOf(encodeMessage(query(name, types.a)));
const answered = hexOf(
  encodeMessage(
    replyTo(plain, [
      { owner: name, type: types.a, class: 1, ttl: 60, data: { address: [93, 184, 216, 34] } },
    ]),
  ),
);
const bent = (hex: string) =>
  fc.tuple(fc.nat({ max: hex.length / 2 }), fc.nat({ max: 255 })).map(([at, octet]) => {
    const octets = Buffer.from(hex, 'hex');
    if (octet === 0) return octets.subarray(0, at).toString('hex');
    if (at < octets.length) octets[at] = octet;
    return octets.toString('hex');
  });
const message = fc.oneof(
  bent(plain),
  bent(answered),
  fc.uint8Array({ maxLength: 80 }).map((octets) => Buffer.from(octets).toString('hex')),
);

test('dns-query always decides', () => {
  fc.assert(
    fc.property(message, transport, (hex, over) => {
      const { verdict } = reference.decide('dns-query', dnsConfig)({ message: hex, transport: over, random });
      expect(['forward', 'answer', 'drop']).toContain(verdict);
    }),
    { numRuns: runs },
  );
});

test('dns-reply always decides, also when the query is none', () => {
  fc.assert(
    fc.property(message, message, transport, (sent, reply, over) => {
      const input = { query: sent, sentTo: server, reply, from: server, transport: over };
      expect(reference.decide('dns-reply', dnsConfig)(input).rule).not.toBe('');
    }),
    { numRuns: runs },
  );
});

test('dns-build always decides, and never pins without a question that goes upstream', () => {
  const build = reference.decide('dns-build', dnsConfig);
  const question = fc.record({
    type: fc.constantFrom(0, types.a, types.aaaa, types.cname, types.txt, types.any, types.opt),
    class: fc.constantFrom(1, 1, 3, 255),
  });
  fc.assert(
    fc.property(question, fc.constantFrom(4, 15, 16, 17), transport, (asked, length, over) => {
      const guest = hexOf(encodeMessage({ ...query(name, asked.type), questions: [{ name, ...asked }] }));
      const data = { raw: Array.from({ length }, (_, index) => 0x26 + index) };
      const reply = hexOf(encodeMessage(replyTo(guest, [{ owner: name, ...asked, ttl: 60, data }])));
      const { pins } = build({ query: guest, reply, transport: over, outcomes: null });
      const upstream = asked.class === 1 && (asked.type === types.a || asked.type === types.aaaa);
      if (!upstream) expect(pins).toEqual([]);
    }),
    { numRuns: runs },
  );
  fc.assert(
    fc.property(message, message, transport, (guest, reply, over) => {
      expect(build({ query: guest, reply, transport: over, outcomes: null }).rule).not.toBe('');
    }),
    { numRuns: runs },
  );
});
