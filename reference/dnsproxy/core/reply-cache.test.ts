/** Replies that are kept: within bounds, no longer than they say, and never in place of a pin. */
import { describe, expect, test } from 'vitest';
import { type Message, readMessage } from '../../decisions/dns-answer/wire.ts';
import { a, question, reply, type SampleRecord } from '../sample-messages.ts';
import { CoreStage, guest, only, otherResolver } from './core-stage.ts';
import { ReplyCache } from './reply-cache.ts';

const query = question('example.com', { edns: 1_232 });
const replyOf = (...records: SampleRecord[]) => readMessage(reply(query, records)) as Message;
const limits = { cacheEntries: 2, cacheOctets: 100_000, ttlCeilingSeconds: 300 };
const ttlsOf = (message: Message | null) => message?.answers.map(({ ttlSeconds }) => ttlSeconds);

describe('the cache', () => {
  test('counts TTLs down, rounded down, and forgets with the first that is over', () => {
    const cache = new ReplyCache(limits);
    cache.put('a', replyOf(a('1.1.1.1', 60), a('1.1.1.2', 10)), 0);
    expect(ttlsOf(cache.get('a', 0))).toEqual([60, 10]);
    expect(ttlsOf(cache.get('a', 1))).toEqual([59, 9]);
    expect(ttlsOf(cache.get('a', 9_999))).toEqual([50, 0]);
    expect(cache.get('a', 10_000)).toBeNull();
    expect(cache.size).toBe(0);
  });

  test('never keeps what has no time, no answer, or no room, nor anything when it is off', () => {
    const cache = new ReplyCache(limits);
    cache.put('a', replyOf(a('1.1.1.1', 0)), 0);
    cache.put('b', replyOf(), 0);
    new ReplyCache({ ...limits, cacheOctets: 100 }).put('c', replyOf(a('1.1.1.1')), 0);
    expect(cache.size).toBe(0);
    const off = new ReplyCache({ ...limits, cacheEntries: 0 });
    off.put('a', replyOf(a('1.1.1.1')), 0);
    expect(off.get('a', 0)).toBeNull();
  });

  test('never holds more than its bounds, and lets go of what was used least lately', () => {
    const cache = new ReplyCache(limits);
    for (const key of ['a', 'b']) cache.put(key, replyOf(a('1.1.1.1')), 0);
    cache.get('a', 0);
    cache.put('c', replyOf(a('1.1.1.1')), 0);
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 0) !== null)).toEqual([true, false, true]);
    const small = new ReplyCache({ ...limits, cacheEntries: 100, cacheOctets: 1_500 });
    for (const key of ['a', 'b', 'c']) small.put(key, replyOf(a('1.1.1.1')), 0);
    expect(small.size).toBe(2);
  });

  test('never keeps longer than the ceiling of a pin', () => {
    const cache = new ReplyCache(limits);
    cache.put('a', replyOf(a('1.1.1.1', 86_400)), 0);
    expect(cache.get('a', 299_000)).not.toBeNull();
    expect(cache.get('a', 300_000)).toBeNull();
  });
});

describe('an answer from the cache', () => {
  test('is always pinned and acknowledged like a new one, and asks nobody', () => {
    const stage = new CoreStage({ cacheEntries: 8 });
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14', 60));
    stage.nowMs += 20_500;
    stage.put('example.com', { id: 9 });
    expect(stage.round()).toMatchObject([{ id: 9, addresses: ['93.184.215.14'], ttls: [39] }]);
    expect(stage.takeAsked()).toEqual([]);
    expect(stage.count('cache', 'hit')).toBe(1);
    // A pin lives at least the floor, whatever is left of the record.
    stage.nowMs += 25_000;
    stage.put('example.com', { id: 9 });
    expect(stage.round()).toMatchObject([{ ttls: [14] }]);
    expect(stage.pins.read().map(({ remainingMs }) => remainingMs)).toEqual([30_000, 30_000]);
    stage.pins.failures.push('ENFILE');
    stage.nowMs += 1_000;
    stage.put('example.com');
    expect(stage.round()).toMatchObject([{ rcode: 2 }]);
  });

  test('is never felt by another sandbox', () => {
    const stage = new CoreStage({ cacheEntries: 8 });
    stage.attach('tap1', otherResolver);
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14', 60));
    expect(stage.ask('example.com', {}, { ...guest, address: '10.0.0.6' }, otherResolver)).toHaveLength(1);
  });
});
