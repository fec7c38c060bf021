/** DNS over TCP: from the guest split, slow and pipelined; from upstream after a truncated reply. */
import type { UpstreamReply, UpstreamScript } from '#kvm-lab/providers/dns-lab.ts';
import { encodeMessage, flags, query, types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { addressOf, at, honest, labelsOf, nameIn, said } from './dns-messages.ts';
import { framed, questionFor, SegmentedTcp } from './dns-tcp.ts';
import { hosts } from './guest-frames.ts';

const lie = hosts.forbidden;

async function opened(stage: DnsStage): Promise<SegmentedTcp> {
  const stream = await SegmentedTcp.open(stage);
  if (stream === null) throw new Error('the resolver accepted no connection');
  return stream;
}

/** Each name asked must be answered on the stream, with a pin. */
function judgeAnswers(stage: DnsStage, messages: readonly Buffer[], wanted: number): void {
  const answered = messages.map((message) => stage.heard(stage.guest, message));
  const good = answered.filter(({ addresses }) =>
    addresses.some(({ address }) => address === hosts.pinned),
  ).length;
  if (good < wanted) stage.wrong(`${good} of ${wanted} questions were answered on the stream`);
}

const streamed = {
  control: 'pinned A by TCP',
  claim: 'F1.iff',
  source: 'RFC 7766 sections 6.2.1.1, 8; issue 7 (4): TCP with split, slow and pipelined messages',
  expected: cells.closed,
} as const;

const fromGuest: readonly DnsAttack[] = [
  {
    ...streamed,
    id: 'dns-streams.pipelined',
    control: 'pinned A',
    statement: 'each of many questions in one segment is answered, with its pin',
    shows: 'a question that is not answered, an answer without its pin',
    act: async (stage) => {
      const names = Array.from({ length: 8 }, () => stage.name('pipe'));
      for (const name of names) stage.script(name, at([hosts.pinned]));
      const stream = await opened(stage);
      stream.send(Buffer.concat(names.map((name, index) => framed(questionFor(name, index + 1)))));
      judgeAnswers(stage, await stream.messages(names.length), names.length);
      stream.reset();
    },
  },
  {
    ...streamed,
    id: 'dns-streams.octet-by-octet',
    control: 'pinned A',
    statement: 'a question that comes octet by octet is answered, with its pin',
    shows: 'a question that is not answered, an answer without its pin',
    act: async (stage) => {
      const name = stage.name('split');
      stage.script(name, at([hosts.pinned]));
      const stream = await opened(stage);
      for (const octet of framed(questionFor(name))) {
        stream.send(Buffer.from([octet]));
        await stage.pause(1);
      }
      judgeAnswers(stage, await stream.messages(1), 1);
      stream.reset();
    },
  },
  {
    ...streamed,
    id: 'dns-streams.honest-kernel',
    statement: 'a question that an honest kernel asks by TCP or UDP is answered, with its pin',
    shows: 'a question that is not answered, an answer without its pin',
    act: async (stage) => {
      const name = stage.name('kernel');
      stage.script(name, at([hosts.pinned, '169.254.169.254']));
      const to = { address: stage.guest.place.ipv4.resolver, port: 53 };
      const isWhole = (answer: Buffer) => answer.length >= 2 && answer.length >= 2 + answer.readUInt16BE(0);
      const got = await stage.honest().exchange('tcp', to, framed(questionFor(name)), isWhole, 3_000);
      if ('refused' in got) stage.wrong(`TCP: ${got.refused}`);
      else judgeAnswers(stage, [got.answer.subarray(2)], 1);
      const byUdp = stage.name('datagram');
      stage.script(byUdp, at([hosts.pinned]));
      const datagram = await stage.honest().exchange('udp', to, questionFor(byUdp), () => true, 3_000);
      if ('refused' in datagram) stage.wrong(`UDP: ${datagram.refused}`);
      else judgeAnswers(stage, [datagram.answer], 1);
      stage.tryConnect('169.254.169.254');
    },
  },
  {
    ...streamed,
    id: 'dns-streams.length-that-lies',
    control: 'pinned A',
    claim: 'F1.malformed',
    statement: 'a message that is shorter or longer than its length says never goes upstream',
    source: 'RFC 1035 section 4.2.2; findings.md F1',
    shows: 'the question upstream, or an answer',
    expected: cells.residual,
    act: async (stage) => {
      const name = stage.name('length');
      stage.script(name, at([lie]));
      const plain = Buffer.from(encodeMessage(query(labelsOf(name), types.a, 9)));
      const longer = Buffer.concat([plain, Buffer.from('trailing')]);
      for (const message of [framed(longer), framed(plain.subarray(0, plain.length - 2))]) {
        const stream = await opened(stage);
        stream.send(message);
        for (const answer of await stream.messages(1, 150)) stage.heard(stage.guest, answer);
        stream.reset();
      }
      if (stage.servers.some(({ questions }) => questions.some((asked) => asked.name === name))) {
        stage.wrong('the question went upstream');
      }
    },
  },
  {
    ...streamed,
    id: 'dns-streams.idle-crowd',
    control: 'pinned A',
    claim: 'F1.bounds',
    statement:
      'a hundred connections of one guest with half a message never keep a neighbour from its answer',
    source: 'RFC 7766 section 6.2.2: a server limits connections per client',
    shows: 'a neighbour that is not answered by TCP',
    sibling: true,
    act: async (stage) => {
      const streams: SegmentedTcp[] = [];
      for (let count = 0; count < 100; count++) {
        const stream = await SegmentedTcp.open(stage);
        if (stream === null) break;
        stream.send(Buffer.from([0, 40, 0x12]));
        streams.push(stream);
      }
      stage.say(`${streams.length} connections stand with half a message`);
      const name = stage.name('neighbour');
      stage.script(name, at([hosts.pinned]));
      const sibling = stage.sibling ?? stage.guest;
      const stream = await SegmentedTcp.open(stage, sibling);
      stream?.send(framed(questionFor(name)));
      const messages = (await stream?.messages(1)) ?? [];
      for (const message of messages) stage.heard(sibling, message);
      if (messages.length === 0) stage.wrong('the neighbour is not answered by TCP');
      for (const each of streams) each.reset();
    },
  },
];

const truncated = (question: Parameters<UpstreamScript>[0], addresses: readonly string[]) => {
  const reply = honest(
    question,
    addresses.map((address) => addressOf(nameIn(question), address)),
  );
  return said({ ...reply, flags: reply.flags | flags.truncated });
};

/** By UDP cut short, with a lie in what is left; by TCP what `reply` makes of the truth. */
const cutShort =
  (reply: (whole: UpstreamReply) => UpstreamReply): UpstreamScript =>
  (question, nth) =>
    question.transport === 'udp'
      ? [truncated(question, [lie])]
      : at([hosts.pinned])(question, nth).map(reply);

const retried = {
  claim: 'F1.chain',
  source: 'RFC 7766 section 5; findings.md F1, reference: on TC retry over TCP',
  shows: 'an address of the truncated reply in the set, in the answer, or a connection to it',
  expected: cells.residual,
} as const;

const fromUpstream: readonly DnsAttack[] = [
  {
    ...retried,
    id: 'dns-streams.truncated',
    statement: 'an address of a truncated reply is never pinned; the whole reply is asked for by TCP',
    act: async (stage) => {
      const name = stage.name('cut');
      stage.script(
        name,
        cutShort((whole) => whole),
      );
      const { addresses } = await stage.ask(name);
      if (!addresses.some(({ address }) => address === hosts.pinned))
        stage.wrong('the whole reply was not asked for');
      await stage.connect(lie);
    },
  },
  {
    ...retried,
    id: 'dns-streams.truncated-in-pieces',
    statement: 'a whole reply that comes in pieces by TCP is used, and the truncated one never',
    act: async (stage) => {
      const name = stage.name('pieces');
      stage.script(
        name,
        cutShort((whole) => ({ ...whole, splitAt: [1, 2, 3, 14, 20] })),
      );
      const { addresses } = await stage.ask(name);
      if (!addresses.some(({ address }) => address === hosts.pinned))
        stage.wrong('the reply in pieces was not used');
      await stage.connect(lie);
    },
  },
  {
    ...retried,
    id: 'dns-streams.half-a-reply',
    statement: 'a reply by TCP that never ends is never used, and the next question is answered',
    act: async (stage) => {
      const name = stage.name('half');
      stage.script(
        name,
        cutShort(({ message }) => ({
          message: Buffer.from(message).subarray(0, message.length - 6),
          close: true,
        })),
      );
      await stage.ask(name, { deadlineMs: 3_000 });
      const next = stage.name('next');
      stage.script(next, at([hosts.pinned]));
      if ((await stage.ask(next)).addresses.length === 0) stage.wrong('the next question is not answered');
    },
  },
];

export const attacks: readonly DnsAttack[] = [...fromGuest, ...fromUpstream];
