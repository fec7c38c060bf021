/** What a guest gets out of an answer, and what the kernel's sets hold: each shape that is met. */
import { describe, expect, test } from 'vitest';
import { encodeMessage, type ModelMessage, query, replyTo, types } from '#properties/models/dns-message.ts';
import { isLoopback, parseEndpoint } from './endpoint.ts';
import { pinnedIn } from './pinned-sets.ts';
import { answerWords, carries, readAnswer } from './received.ts';
import { addressRecordOf, plainHex } from './stage.ts';

const name = ['a', 'test'];
const asked = plainHex(name, types.a);
const read = (message: ModelMessage) => readAnswer(Uint8Array.from(encodeMessage(message)));

describe('an answer', () => {
  test('gives addresses of ANSWER with their TTLs, and those of other sections apart', () => {
    const reply = replyTo(asked, [addressRecordOf(name, '10.0.0.1', 7)]);
    const glue = addressRecordOf(['ns', 'test'], '64:ff9b::a9fe:a9fe');
    const answer = read({ ...reply, authority: [addressRecordOf(name, '10.0.0.2')], additional: [glue] });
    expect(answer?.addresses).toEqual([{ address: '10.0.0.1', ttl: 7, type: types.a }]);
    expect(answer?.elsewhere).toEqual(['AUTHORITY A 10.0.0.2', 'ADDITIONAL AAAA 64:ff9b::a9fe:a9fe']);
    expect(answerWords(answer)).toBe(
      'NOERROR 10.0.0.1 ttl 7 AUTHORITY A 10.0.0.2 ADDITIONAL AAAA 64:ff9b::a9fe:a9fe',
    );
  });

  test('gives every hint of an SVCB or HTTPS record, other parameters skipped', () => {
    const raw = [0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x32, 0, 4, 0, 8, 10, 0, 0, 1, 10, 0, 0, 2];
    const answer = read(
      replyTo(asked, [{ owner: name, type: types.https, class: 1, ttl: 1, data: { raw } }]),
    );
    expect(answer?.elsewhere).toEqual(['HTTPS ipv4hint 10.0.0.1', 'HTTPS ipv4hint 10.0.0.2']);
  });

  test('that only a lenient decoder reads is malformed, half an address left out', () => {
    const reply = replyTo(asked, [addressRecordOf(name, '10.0.0.1')]);
    expect(read({ ...reply, trailing: [0] })).toMatchObject({
      malformed: true,
      addresses: [{ address: '10.0.0.1' }],
    });
    const short = { owner: name, type: types.a, class: 1, ttl: 1, data: { address: [10, 0, 1] } };
    expect(read({ ...reply, answers: [short] })?.addresses).toEqual([]);
  });

  test('that nobody reads is none, but may carry an address all the same', () => {
    const octets = Buffer.from('no message 0a000001', 'latin1');
    expect(readAnswer(octets)).toBeNull();
    expect(carries(Buffer.from('ff0a000001', 'hex'), '10.0.0.1')).toBe(true);
    expect(carries(octets, '10.0.0.1')).toBe(false);
  });

  test('without records is told by its code', () => {
    expect(answerWords(read(replyTo(asked, [], 2)))).toBe('SERVFAIL');
    expect(answerWords(read({ ...query(name, types.a), flags: 0x8200 }))).toBe('NOERROR TC=1');
  });
});

describe('a set as nft -j lists it', () => {
  const listed = (...elem: unknown[]) => ({ nftables: [{ metainfo: {} }, { set: { name: 's', elem } }] });

  test('gives plain, timed and concatenated elements', () => {
    const json = listed(
      '10.0.0.1',
      { elem: { val: '2606:2800:220:1:248:1893:25c8:1946', timeout: 60, expires: 59 } },
      { elem: { val: { concat: ['10.0.0.2', 'tcp', 443] }, expires: 3 } },
      { concat: ['10.0.0.3', 'udp', 53] },
    );
    expect(pinnedIn(json)).toEqual([
      ['10.0.0.1', null],
      ['2606:2800:220:1:248:1893:25c8:1946', 59],
      ['10.0.0.2', 3],
      ['10.0.0.3', null],
    ]);
  });

  test('gives no interface, port or range', () => {
    expect(pinnedIn(listed('eth0', 443, { range: ['10.0.0.1', '10.0.0.9'] }))).toEqual([]);
    expect(pinnedIn({ nftables: [{ set: { name: 'empty' } }] })).toEqual([]);
  });
});

describe('an endpoint', () => {
  test('on loopback is nobody else’s', () => {
    expect(isLoopback(parseEndpoint('--server', '127.9.9.9:53'))).toBe(true);
    expect(isLoopback(parseEndpoint('--server', '[::1]:53'))).toBe(true);
    for (const text of ['128.0.0.1:53', '[::2]:53', '[::ffff:127.0.0.1]:53', '0.0.0.0:53']) {
      expect(isLoopback(parseEndpoint('--server', text))).toBe(false);
    }
  });
});
