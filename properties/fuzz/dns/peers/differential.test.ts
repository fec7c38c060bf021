/** Our reader beside the others, on a small run that is the same every time; and that a difference is found at all. */
import { afterAll, describe, expect, test } from 'vitest';
import { encodeMessage, query, replyTo, types } from '../../../models/dns-message.ts';
import { diagnose, type ReadMessage } from '../../../oracles/dns/strict-reader.ts';
import { loadCodec } from '../codec.ts';
import { compare } from './compare.ts';
import { differential } from './differential.ts';
import { dnsPacketPeer } from './dns-packet.ts';
import { startDnspython } from './dnspython.ts';
import { classify, knownDifferences } from './known-differences.ts';
import { readMeasuredPeers } from './measured-peers.ts';
import type { Peer, PeerReading } from './peer.ts';

const codec = await loadCodec();
const python = await startDnspython();
afterAll(async () => {
  if ('read' in python) await python.close();
});
const small = { seed: 11, runs: 600, deadlineMs: Number.MAX_VALUE };

describe('the peers', () => {
  test('always read as we do, or otherwise in a way that is known', async () => {
    const peers = 'read' in python ? [dnsPacketPeer, python] : [dnsPacketPeer];
    const { results, findings } = await differential(codec, peers, small);
    expect(findings).toEqual([]);
    for (const { messages, alike, bothRefuse, known } of results) {
      expect(alike).toBeGreaterThan(100);
      expect(bothRefuse).toBeGreaterThan(100);
      expect(alike + bothRefuse + Object.values(known).reduce((a, b) => a + b, 0)).toBe(messages);
    }
  });

  test('always include dnspython, or say what adds it', () => {
    if ('read' in python) expect(python.version).toMatch(/^\d+\.\d+\.\d+, Python 3/);
    else expect(python.remedy).toBe('apt-get install -y python3-dnspython');
  });

  test('were always measured with every known difference seen', () => {
    const seen = readMeasuredPeers().results.flatMap(({ peer, known }) =>
      Object.keys(known).map((id) => `${peer} ${id}`),
    );
    expect(seen.length).toBeGreaterThan(5);
    expect(knownDifferences.map(({ peer, id }) => `${peer} ${id}`)).toEqual(expect.arrayContaining(seen));
  });
});

/** A peer that reads what dns-packet reads, changed. */
function bentPeer(bend: (reading: PeerReading & { read: true }) => PeerReading): Peer {
  const read = async (messages: readonly Uint8Array[]) =>
    (await dnsPacketPeer.read(messages)).map((reading) => (reading.read ? bend(reading) : reading));
  return { ...dnsPacketPeer, read };
}

test('the notation of an address is never a difference', async () => {
  const asked = encodeMessage(query(['example', 'com'], types.aaaa));
  const raw = [0xfe, 0xc0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1];
  const record = { owner: ['example', 'com'], type: types.aaaa, class: 1, ttl: 60, data: { raw } };
  const reply = Uint8Array.from(encodeMessage(replyTo(Buffer.from(asked).toString('hex'), [record])));
  for (const peer of 'read' in python ? [dnsPacketPeer, python] : [dnsPacketPeer]) {
    const [reading] = await peer.read([reply]);
    expect(reading).toMatchObject({ read: true });
    expect(compare(diagnose(reply), reading as PeerReading)).toEqual({ kind: 'same' });
  }
});

describe('a difference', () => {
  test.each<[string, RegExp, (reading: PeerReading & { read: true }) => PeerReading]>([
    [
      'in an address',
      /^otherwise: address$/,
      (reading) => ({
        ...reading,
        answers: reading.answers.map((one) => (one.type === types.a ? { ...one, data: '10.0.0.1' } : one)),
      }),
    ],
    [
      'in a TTL',
      /^otherwise: ttl/,
      (reading) => ({ ...reading, answers: reading.answers.map((one) => ({ ...one, ttl: one.ttl + 1 })) }),
    ],
    ['in what is read at all', /^only-we: /, () => ({ read: false, error: 'refused' })],
  ])('%s is always found, shrunk, and replays', async (_, wanted, bend) => {
    const { findings } = await differential(codec, [bentPeer(bend)], small);
    const [found] = findings;
    expect(found?.difference).toMatch(wanted);
    const { seed = 0, path = '' } = found ?? {};
    const again = await differential(codec, [bentPeer(bend)], { ...small, seed, path });
    expect(again.findings[0]?.message).toBe(found?.message);
  });

  test('is never known for a reason that the message does not bear out', () => {
    const plain = encodeMessage(query(['example', 'com'], types.a));
    const record = { owner: ['example', 'com'], type: types.txt, class: 1, ttl: 60, data: { raw: [1, 65] } };
    const withText = encodeMessage(replyTo(Buffer.from(plain).toString('hex'), [record]));
    const read = (octets: readonly number[]) => diagnose(Uint8Array.from(octets)) as ReadMessage;
    const refused = { kind: 'only-we' as const, reason: 'FormError' };
    expect(classify('dnspython', refused, read(plain))).toBeUndefined();
    expect(classify('dnspython', refused, read(withText))?.id).toBe('foreign-data');
    expect(classify('dns-packet', { kind: 'otherwise', reason: 'address' }, read(plain))).toBeUndefined();
    expect(classify('dns-packet', { kind: 'same' }, read(plain))).toBeUndefined();
  });
});
