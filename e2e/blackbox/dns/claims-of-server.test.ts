/** F1's claims of a server: a right one holds each, each can fail by one flaw, and what breaks has a name. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import { encodeMessage, hexOf, replyTo, types } from '#properties/models/dns-message.ts';
import { freeLoopbackEndpoint } from '#reference/dnsproxy/packets/loopback-peer.ts';
import { type ClaimId, claimIds } from './claim-ids.ts';
import { type Checked, checkServer } from './claims-of-server.ts';
import { type DnsFlags, settingsOf } from './flags.ts';
import { onStage } from './open-stage.ts';
import { type Flaw, PracticeForwarder } from './practice-forwarder.ts';
import { addressRecordOf } from './stage.ts';

const allow = ['*.huskproof.example'];
const flags = { upstreamListen: '127.0.0.1:0', allow, denyCidr: ['93.190.0.0/16', '2a00:5000::/32'] };
const numbers = {
  perSecond: 4_000,
  durationMs: 50_000,
  timeoutMs: 1_500,
  waitMs: 0,
  seed: 20_261_125,
  runs: 24,
};

function settingsFor(port: number, more: DnsFlags = {}, others: Partial<typeof numbers> = {}) {
  return settingsOf({ server: `127.0.0.1:${port}`, ...flags, ...more }, { ...numbers, ...others });
}

async function checkForwarder(
  flaw: Flaw,
  claim: readonly ClaimId[],
  denyCIDRs = flags.denyCidr,
): Promise<Checked> {
  const forwarder = await PracticeForwarder.open(
    flaw,
    allow.map((entry) => `${entry}:443`),
    denyCIDRs,
  );
  try {
    const settings = settingsFor(forwarder.endpoint.port, { claim, nftSet: ['inet', 'filter', 'pins4'] });
    return await onStage(
      settings,
      new AbortController().signal,
      async ({ stage, upstream }) => {
        forwarder.upstream = upstream.endpoint;
        return await checkServer(stage);
      },
      async () => forwarder.pinned,
    );
  } finally {
    forwarder.close();
  }
}

const outcomesOf = ({ claims }: Checked) =>
  Object.fromEntries(claims.map(({ claim, outcome }) => [claim, outcome]));
const failing = ({ claims }: Checked) =>
  claims.flatMap(({ parts }) =>
    parts
      .filter(({ outcome }) => !['holds', 'unsupported'].includes(outcome))
      .map(({ id, outcome, observed }) => `${id}: ${outcome}, ${observed}`),
  );

describe('the right forwarder', () => {
  test('holds on every claim, so that each can', async () => {
    const checked = await checkForwarder({}, []);
    expect(failing(checked)).toEqual([]);
    expect(checked.server.state).toBe('answers');
    expect(outcomesOf(checked)).toEqual(
      Object.fromEntries(claimIds.map((claim) => [claim, claim === 'F1.teardown' ? 'unsupported' : 'holds'])),
    );
  });
});

/** Type of a question without EDNS. */
const asksFor = (guest: Buffer) => guest.readUInt16BE(guest.length - 4);

/** The TTL of the last record, an A record, raised. */
function longer(answer: Buffer): Buffer {
  const at = answer.length - 10;
  answer.writeUInt32BE(Math.min(answer.readUInt32BE(at) + 600, 2 ** 31 - 1), at);
  return answer;
}

const dotted = (guest: Buffer) => {
  const labels: string[] = [];
  for (let at = 12; (guest[at] ?? 0) !== 0 && at < guest.length; at += (guest[at] ?? 0) + 1) {
    labels.push(guest.toString('latin1', at + 1, at + 1 + (guest[at] ?? 0)));
  }
  return labels.join('.').toLowerCase();
};

/** Every address record of the reply, whoever owns it. */
function everything(answer: Buffer, guest: Buffer, reply: Buffer): Buffer {
  const own = { name: dotted(guest).split('.') };
  const found = reply.toString('hex').match(/00010001.{8}0004(.{8})/g) ?? [];
  const records = found.map((hex) =>
    addressRecordOf(own.name, [...Buffer.from(hex.slice(-8), 'hex')].join('.')),
  );
  if (records.length === 0) return answer;
  return Buffer.from(encodeMessage(replyTo(guest.toString('hex'), records)));
}

const withId = (octets: Buffer, from: Buffer) => Buffer.concat([from.subarray(0, 2), octets.subarray(2)]);
const ipv4Of = (hex: string) => (address: string) => address === hex;

const flaws: readonly [ClaimId, string, Flaw, string[]?][] = [
  ['F1.embedded', 'lets 64:ff9b::/96 pass', { lets: (address) => address.startsWith('64:ff9b::a9fe') }],
  ['F1.6to4', 'lets 2002::/16 pass', { lets: (address) => address.startsWith('2002:a9fe') }],
  ['F1.site-local', 'lets fec0::/10 pass', { lets: (address) => /^fe[c-f]/.test(address) }],
  ['F1.embeddings', 'lets ISATAP pass', { lets: (address) => address.includes(':5efe:') }],
  ['F1.special-purpose', 'lets 240.0.0.0/4 pass', { lets: ipv4Of('240.0.0.0') }],
  ['F1.cloud', 'lets the wire server pass', { lets: ipv4Of('168.63.129.16') }],
  ['F1.deny-cidr', 'was not told the range', {}, []],
  ['F1.public', 'refuses a neighbour of a block', { refuses: ipv4Of('11.0.0.0') }],
  ['F1.chain', 'takes every address of the reply', { answer: everything }],
  ['F1.source', 'looks at neither ID nor source', { anySource: true, reply: withId }],
  ['F1.question', 'does not compare the case', { randomCase: false }],
  ['F1.covert', 'asks with the ID of the guest', { upstreamQuery: withId }],
  [
    'F1.covert',
    'passes CD on',
    {
      upstreamQuery(query, guest) {
        query[3] = (query[3] ?? 0) | ((guest[3] ?? 0) & 0x10);
        return query;
      },
    },
  ],
  [
    'F1.ttl',
    'raises the TTL',
    { answer: (answer, guest) => (asksFor(guest) === types.a ? longer(answer) : answer) },
  ],
  [
    'F1.hints',
    'relays HTTPS records',
    {
      relays: (verdict, guest) => verdict.verdict === 'answer' && asksFor(guest) === types.https,
    },
  ],
  [
    'F1.labels',
    'compares names as text',
    {
      relays: (verdict, guest) =>
        verdict.verdict === 'answer' && dotted(guest).endsWith('.huskproof.example'),
    },
  ],
  ['F1.iff', 'answers what it could not pin', { pins: (address) => !address.endsWith('.3') }],
  ['F1.malformed', 'relays what it cannot read', { relays: ({ rule }) => rule === 'malformed' }],
  ['F1.bounds', 'has one queue for everybody', { maxInFlight: 40 }],
];

describe('a forwarder with one flaw', () => {
  test.each(flaws)('is found out: %s, because it %s', async (claim, _words, flaw, denyCIDRs) => {
    const checked = await checkForwarder(flaw, [claim], denyCIDRs);
    expect(checked.server.state).toBe('answers');
    expect(outcomesOf(checked)).toEqual({ [claim]: 'falsified' });
  });

  test('covers each claim that a black box can show', () => {
    const shown = claimIds.filter((claim) => claim !== 'F1.teardown');
    expect(shown.filter((claim) => !flaws.some(([id]) => id === claim))).toEqual([]);
  });

  test('that dies of a message is crashed, and nothing after it counts', async () => {
    const checked = await checkForwarder({ diesOf: (guest) => ((guest[2] ?? 0) & 0x78) !== 0 }, [
      'F1.malformed',
      'F1.bounds',
    ]);
    expect(outcomesOf(checked)).toEqual({ 'F1.malformed': 'crashed', 'F1.bounds': 'not-run' });
    const crashed = checked.claims[0]?.parts.find(({ outcome }) => outcome === 'crashed');
    expect(crashed?.id).toBe('query/header/opcode-1');
    expect(checked.server.reason).toContain('it died of F1.malformed');
  });
});

/** Whatever it is sent, it does this. */
async function strange(
  behave: (socket: Socket, octets: Buffer, from: RemoteInfo) => void,
  work: (port: number) => Promise<Checked>,
): Promise<Checked> {
  const socket = createSocket('udp4');
  socket.on('message', (octets, from) => behave(socket, octets, from));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  try {
    return await work(socket.address().port);
  } finally {
    socket.close();
  }
}

const quick = { timeoutMs: 200 };
const checkPort = (port: number, claim: readonly ClaimId[] = ['F1.chain'], others = quick) =>
  onStage(settingsFor(port, { claim }, others), new AbortController().signal, ({ stage }) =>
    checkServer(stage),
  );

describe('a server that is none', () => {
  const cases: readonly [string, Parameters<typeof strange>[0]][] = [
    ['deaf', () => undefined],
    ['garbage', (socket, _octets, { port, address }) => socket.send('no DNS message at all', port, address)],
    [
      'floods',
      (socket, octets, { port, address }) => {
        const reply = Buffer.from(encodeMessage(replyTo(octets.toString('hex'), [])));
        for (let index = 0; index < 60; index++) socket.send(reply, port, address);
      },
    ],
    [
      'slow',
      (socket, octets, { port, address }) => {
        const reply = Buffer.from(encodeMessage(replyTo(octets.toString('hex'), [])));
        setTimeout(() => socket.send(reply, port, address), 300);
      },
    ],
    [
      'does not forward',
      (socket, octets, { port, address }) =>
        socket.send(Buffer.from(encodeMessage(replyTo(octets.toString('hex'), [], 5))), port, address),
    ],
  ];
  test.each(cases)('is %s, and nothing of it counts as held', async (state, behave) => {
    const checked = await strange(behave, (port) => checkPort(port));
    expect(checked.server.state).toBe(state);
    expect(checked.server.give).not.toBe('');
    expect(outcomesOf(checked)).toEqual({ 'F1.chain': 'not-run' });
  });

  test('refuses where nothing listens', async () => {
    const { port } = await freeLoopbackEndpoint();
    expect((await checkPort(port)).server.state).toBe('refuses');
  });

  test('answers the control otherwise than the upstream: nothing can be judged', async () => {
    const forwarder = await PracticeForwarder.open({ refuses: (address) => address === '93.184.216.34' });
    try {
      const settings = settingsFor(forwarder.endpoint.port, { claim: ['F1.chain'] });
      const checked = await onStage(settings, new AbortController().signal, async ({ stage, upstream }) => {
        forwarder.upstream = upstream.endpoint;
        return await checkServer(stage);
      });
      expect(checked.server.state).toBe('answers otherwise');
      expect(outcomesOf(checked)).toEqual({ 'F1.chain': 'not-run' });
    } finally {
      forwarder.close();
    }
  });
});

describe('bounds of a run', () => {
  test('what the time did not suffice for is not-run, with the flag to give', async () => {
    const forwarder = await PracticeForwarder.open();
    try {
      const settings = settingsFor(
        forwarder.endpoint.port,
        { claim: ['F1.special-purpose', 'F1.chain'] },
        { perSecond: 20, durationMs: 3_000 },
      );
      const checked = await onStage(settings, new AbortController().signal, async ({ stage, upstream }) => {
        forwarder.upstream = upstream.endpoint;
        return await checkServer(stage);
      });
      expect(checked.cutOff).toContain('--duration');
      expect(checked.questions).toBeLessThanOrEqual(62);
      expect(outcomesOf(checked)).toEqual({ 'F1.special-purpose': 'not-run', 'F1.chain': 'not-run' });
      const held = checked.claims[0]?.parts.filter(({ outcome }) => outcome === 'holds').length ?? 0;
      expect(held).toBeGreaterThan(0);
    } finally {
      forwarder.close();
    }
  });

  test('an interrupt ends it', async () => {
    const forwarder = await PracticeForwarder.open();
    const abort = new AbortController();
    try {
      const settings = settingsFor(forwarder.endpoint.port, { claim: ['F1.special-purpose'] });
      const checked = await onStage(settings, abort.signal, async ({ stage, upstream }) => {
        forwarder.upstream = upstream.endpoint;
        return await checkServer(stage, () => abort.abort());
      });
      expect(checked.cutOff).toBe('interrupted');
    } finally {
      forwarder.close();
    }
  });

  test('the hex of a finding is the message that shows it', async () => {
    const checked = await checkForwarder({ lets: ipv4Of('168.63.129.16') }, ['F1.cloud']);
    const part = checked.claims[0]?.parts.find(({ outcome }) => outcome === 'falsified');
    expect(part?.id).toBe('cloud/168.63.129.16/32/first');
    expect(part?.hex).toContain(hexOf([168, 63, 129, 16]));
  });
});
