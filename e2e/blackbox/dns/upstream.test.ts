/** The hostile upstream: it answers as it is scripted, over UDP and TCP, and notes what it was asked. */
import { afterEach, describe, expect, test } from 'vitest';
import { encodeMessage, query, replyTo, types } from '#properties/models/dns-message.ts';
import { askOverTcp, askOverUdp } from './guest.ts';
import { givenIn, labelOf, namesUnder } from './names.ts';
import { readAnswer } from './received.ts';
import { addressRecordOf, answersWith, honestPlay } from './stage.ts';
import { HostileUpstream } from './upstream.ts';

const names = namesUnder(['huskproof', 'example'], 'r00000000');
const opened: HostileUpstream[] = [];
async function open(): Promise<HostileUpstream> {
  const upstream = await HostileUpstream.open({ address: '127.0.0.1', port: 0 });
  opened.push(upstream);
  return upstream;
}
afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close();
});

const octetsOf = (name: readonly string[], type: number = types.a) =>
  Uint8Array.from(encodeMessage(query(name, type, 0x1234)));
const timeoutMs = 5_000;

describe('the hostile upstream', () => {
  test('answers a scripted name over UDP and TCP, and notes what it was asked', async () => {
    const upstream = await open();
    const name = names.next('a');
    upstream.script(name, honestPlay(name));
    for (const ask of [askOverUdp, askOverTcp]) {
      const { answer, fate } = await ask(upstream.endpoint, octetsOf(name), timeoutMs);
      expect(fate).toBe('answered');
      expect(readAnswer(answer as Buffer)?.addresses[0]?.address).toBe('93.184.216.34');
    }
    expect(upstream.seen(name[0] ?? '').map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  test('answers what nobody scripted with NODATA, and names below a script with what they own', async () => {
    const upstream = await open();
    const other = await askOverUdp(upstream.endpoint, octetsOf(['nobody', 'test']), timeoutMs);
    expect(readAnswer(other.answer as Buffer)).toMatchObject({ code: 0, addresses: [] });
    const name = names.next('chain');
    const alias = ['alias', ...name];
    upstream.script(name, answersWith(name, [addressRecordOf(alias, '8.8.8.8')]));
    const below = await askOverUdp(upstream.endpoint, octetsOf(alias), timeoutMs);
    expect(readAnswer(below.answer as Buffer)?.addresses.map(({ address }) => address)).toEqual(['8.8.8.8']);
    const aaaa = await askOverUdp(upstream.endpoint, octetsOf(alias, types.aaaa), timeoutMs);
    expect(readAnswer(aaaa.answer as Buffer)?.addresses).toEqual([]);
  });

  test('sends a forgery from another port, which whoever asked by a connected socket never hears', async () => {
    const upstream = await open();
    const name = names.next('forged');
    const reply = (hex: string, address: string) =>
      encodeMessage(replyTo(hex, [addressRecordOf(name, address)]));
    upstream.script(name, ({ hex }) => [
      { octets: reply(hex, '8.8.4.4'), from: 'other port' },
      { octets: reply(hex, '8.8.8.8'), afterMs: 20 },
    ]);
    const { answer, messages } = await askOverUdp(upstream.endpoint, octetsOf(name), timeoutMs);
    expect(messages.length).toBe(1);
    expect(readAnswer(answer as Buffer)?.addresses[0]?.address).toBe('8.8.8.8');
  });

  test('lives through what is no message', async () => {
    const upstream = await open();
    for (const octets of [[], [1], [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63]]) {
      const heard = await askOverUdp(upstream.endpoint, Uint8Array.from(octets), 50);
      expect(heard.fate).toBe('silent');
    }
    const name = names.next('after');
    upstream.script(name, honestPlay(name));
    expect((await askOverUdp(upstream.endpoint, octetsOf(name), timeoutMs)).fate).toBe('answered');
  });
});

describe('names', () => {
  test('are known again inside a label that a server made of several', () => {
    const [first = ''] = names.next('labels/x');
    expect(givenIn(`${first.toUpperCase()}huskproof.example`)).toBe(first);
    expect(givenIn('www.example.com')).toBeNull();
    expect(labelOf('labels/x')).toMatch(/^p[0-9a-z]{7}$/);
  });

  test('are never given twice, and the part’s own stays the same', () => {
    const given = Array.from({ length: 50 }, () => names.next('one').join('.'));
    expect(new Set(given).size).toBe(50);
    expect(names.of('one')).toEqual(names.of('one'));
  });
});
