/**
 * Replies that must not be used: forged ones, and ones of a hostile server that answer something else than what was
 * asked. Each carries a public address that nobody asked for; behind it comes the honest reply.
 */
import type { UpstreamQuestion, UpstreamScript } from '#kvm-lab/providers/dns-lab.ts';
import { flags, type ModelMessage, types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { addressOf, honest, labelsOf, nameIn, octets, said } from './dns-messages.ts';
import { hosts } from './guest-frames.ts';

/** Public, so that nothing but the message is wrong with it. */
const lie = hosts.forbidden;
const truth = hosts.pinned;
const honestAfterMs = 60;

const withLie = (question: UpstreamQuestion) => honest(question, [addressOf(nameIn(question), lie)]);
const withTruth = (question: UpstreamQuestion) => honest(question, [addressOf(nameIn(question), truth)]);

const truthLater: UpstreamScript = (question) => [said(withTruth(question), { afterMs: honestAfterMs })];

/** The false reply at once, the honest one behind it. */
const overtaken =
  (bend: (message: ModelMessage, question: UpstreamQuestion) => ModelMessage): UpstreamScript =>
  (question) => [
    said(bend(withLie(question), question)),
    said(withTruth(question), { afterMs: honestAfterMs }),
  ];

async function askAndConnect(stage: DnsStage, script: UpstreamScript): Promise<void> {
  const name = stage.name('Victim'.toLowerCase());
  stage.script(name, script);
  const { addresses, rcode } = await stage.ask(name);
  if (!addresses.some(({ address }) => address === truth)) {
    stage.wrong(
      `the wait ended with ${rcode}, ${addresses.map(({ address }) => address).join(' ') || 'no address'}`,
    );
  }
  await stage.connect(lie);
}

type Words = Pick<DnsAttack, 'id' | 'statement'> & Partial<DnsAttack>;

const bending = (
  bend: (message: ModelMessage, question: UpstreamQuestion) => ModelMessage,
  words: Words,
): DnsAttack => ({
  claim: 'F1.question',
  source: 'RFC 5452 section 9.1; findings.md F1, residual, messages',
  shows: 'the false reply’s address in the set, in the answer, or a connection to it',
  expected: cells.residual,
  act: (stage) => askAndConnect(stage, overtaken(bend)),
  ...words,
});

const swapCase = (label: string) =>
  label.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );

const questions: readonly DnsAttack[] = [
  bending((message) => ({ ...message, questions: [{ name: ['other', 'ok', 'test'], type: 1, class: 1 }] }), {
    id: 'dns-replies.other-name',
    statement: 'a reply to another name is never used, and does not end the wait',
    showpiece: true,
  }),
  bending(
    (message) => ({ ...message, questions: message.questions.map((own) => ({ ...own, type: types.aaaa })) }),
    {
      id: 'dns-replies.other-type',
      statement: 'a reply to another type is never used, and does not end the wait',
    },
  ),
  bending((message) => ({ ...message, questions: message.questions.map((own) => ({ ...own, class: 3 })) }), {
    id: 'dns-replies.other-class',
    statement: 'a reply to another class is never used, and does not end the wait',
  }),
  bending(
    (message) => ({
      ...message,
      questions: message.questions.map((own) => ({ ...own, name: own.name.map(swapCase) })),
    }),
    {
      id: 'dns-replies.other-case',
      statement: 'a reply in another case is never used, and does not end the wait',
      source: 'draft-vixie-dnsext-dns0x20; findings.md F1, reference, messages',
    },
  ),
  bending((message) => ({ ...message, flags: message.flags & ~flags.response }), {
    id: 'dns-replies.query-bit',
    statement: 'a reply that says it is a query is never used, and does not end the wait',
  }),
  bending((message) => ({ ...message, flags: message.flags | 0x2000 }), {
    id: 'dns-replies.other-opcode',
    statement: 'a reply of another opcode is never used, and does not end the wait',
  }),
  bending((message) => ({ ...message, questions: [] }), {
    id: 'dns-replies.no-question',
    statement: 'a reply without a question is never used, and does not end the wait',
  }),
  bending((message) => ({ ...message, questions: [...message.questions, ...message.questions] }), {
    id: 'dns-replies.two-questions',
    statement: 'a reply with two questions is never used, and does not end the wait',
  }),
  bending((message) => ({ ...message, countsOff: [0, 3, 0, 0] }), {
    id: 'dns-replies.lying-counts',
    statement: 'a reply whose counts lie is never used, and does not end the wait',
  }),
];

/** From a host that is not on the path, as soon as the question is seen: the worst case of a race. */
const forging =
  (
    stage: DnsStage,
    forge: (question: UpstreamQuestion) => Parameters<typeof stage.pod.dns.forge>[0],
  ): UpstreamScript =>
  (question, nth) => {
    const datagrams = forge(question);
    stage.say(
      `${datagrams.length} forged datagrams, the first from ${datagrams[0]?.from.address} port ${datagrams[0]?.from.port}`,
    );
    stage.pod.dns.forge(datagrams);
    return truthLater(question, nth);
  };

const withId = (question: UpstreamQuestion, id: number) => octets({ ...withLie(question), id });

const forgeries: readonly DnsAttack[] = [
  {
    id: 'dns-replies.wrong-id',
    claim: 'F1.source',
    statement: 'a forged reply with another ID is never used, and does not end the wait',
    source: 'RFC 5452 section 4.3; findings.md F1, reference, messages',
    shows: 'the forged address in the set, in the answer, or a connection to it',
    expected: cells.closed,
    falsifiedBy: ['stranger-ends-the-wait'],
    showpiece: true,
    act: (stage) =>
      askAndConnect(
        stage,
        forging(stage, (question) => {
          const id = question.message.readUInt16BE(0);
          const wrong = [id ^ 1, id ^ 0x80, id ^ 0x100, id ^ 0x8000, id ^ 0xffff, stage.random(0x10000) ^ 1];
          return wrong
            .filter((other) => other !== id)
            .map((other) => ({ from: question.server, to: question.from, data: withId(question, other) }));
        }),
      ),
  },
  {
    id: 'dns-replies.wrong-server',
    claim: 'F1.source',
    statement: 'a reply from another address or port is never used, and does not end the wait',
    source: 'RFC 5452 section 4.5; findings.md F1, reference, messages',
    shows: 'the forged address in the set, in the answer, or a connection to it',
    expected: cells.closed,
    act: (stage) =>
      askAndConnect(
        stage,
        forging(stage, (question) => {
          const data = octets(withLie(question));
          const { address, port } = question.server;
          const places = [
            { address: '9.9.9.10', port },
            { address, port: 5353 },
            { address: stage.servers[1].place.address, port },
            { address: hosts.neighbor, port },
          ];
          return places.map((from) => ({ from, to: question.from, data }));
        }),
      ),
  },
  {
    id: 'dns-replies.spray',
    claim: 'F1.source',
    statement: 'an off-path forger who guesses port and ID is never used, and does not end the wait',
    source: 'RFC 5452 section 7; findings.md F1, reference, messages',
    shows: 'the forged address in the set, in the answer, or a connection to it',
    expected: cells.closed,
    act: (stage) =>
      askAndConnect(
        stage,
        forging(stage, (question) => {
          const message = octets(withLie({ ...question, message: lowerCased(question.message) }));
          return Array.from({ length: 2_000 }, () => {
            const data = Buffer.from(message);
            data.writeUInt16BE(stage.random(0x10000), 0);
            const port = 32_768 + stage.random(28_232);
            const guessed = port === question.from.port ? port - 1 : port;
            return { from: question.server, to: { ...question.from, port: guessed }, data };
          });
        }),
      ),
  },
];

/** A forger who is not on the path does not know the case. */
const lowerCased = (message: Buffer) =>
  Buffer.from(
    message.toString('latin1').replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    'latin1',
  );

/** Records of a genuine reply that must not be used: the asked name’s server is hostile itself. */
const records = (
  answers: (question: UpstreamQuestion) => ReturnType<typeof honest>,
  words: Words,
): DnsAttack => ({
  claim: 'F1.chain',
  source: 'RFC 1034 section 3.6.2; findings.md F1, residual, messages',
  shows: 'the address in the set, in the answer, or a connection to it',
  expected: cells.residual,
  act: async (stage) => {
    const name = stage.name('hostile');
    stage.script(name, (question) => [said(answers(question))]);
    await stage.ask(name);
    await stage.connect(lie);
  },
  ...words,
});

const chainOf = (question: UpstreamQuestion, length: number) => {
  const names = [nameIn(question), ...Array.from({ length }, (_, index) => labelsOf(`n${index}.cdn.test`))];
  const aliases = names.slice(1).map((target, index) => ({
    owner: names[index] ?? [],
    type: types.cname,
    class: 1,
    ttl: 60,
    data: { target },
  }));
  return { aliases, last: names.at(-1) ?? [] };
};

const chains: readonly DnsAttack[] = [
  records((question) => honest(question, [addressOf(labelsOf('other.test'), lie)]), {
    id: 'dns-replies.foreign-owner',
    statement: 'an address of another owner is never pinned',
    showpiece: true,
  }),
  records((question) => honest(question, [{ ...addressOf(nameIn(question), lie), class: 3 }]), {
    id: 'dns-replies.foreign-class',
    statement: 'an address of another class than IN is never pinned',
  }),
  records((question) => honest(question, [addressOf(nameIn(question), '2606:4700::2222')]), {
    id: 'dns-replies.foreign-type',
    statement: 'an address of another type than the asked one is never pinned',
  }),
  records((question) => honest(question, [addressOf(nameIn(question), lie)], 3), {
    id: 'dns-replies.nxdomain',
    statement: 'an address in an NXDOMAIN reply is never pinned',
  }),
  records((question) => honest(question, [addressOf(nameIn(question), lie)], 2), {
    id: 'dns-replies.servfail',
    statement: 'an address in a SERVFAIL reply is never pinned',
  }),
  records(
    (question) => {
      const { aliases, last } = chainOf(question, 2);
      const loop = { owner: last, type: types.cname, class: 1, ttl: 60, data: { target: nameIn(question) } };
      return honest(question, [...aliases, loop, addressOf(labelsOf('n0.cdn.test'), lie)]);
    },
    { id: 'dns-replies.alias-loop', statement: 'an address behind a loop of aliases is never pinned' },
  ),
  records(
    (question) => {
      const { aliases, last } = chainOf(question, 24);
      return honest(question, [...aliases, addressOf(last, lie)]);
    },
    {
      id: 'dns-replies.alias-depth',
      statement: 'an address behind more aliases than the bound is never pinned',
    },
  ),
  {
    ...records((question) => honest(question), {
      id: 'dns-replies.alias-honest',
      statement: 'an address behind a short chain of aliases is always pinned, wherever the chain leads',
      shows: 'an address that is not pinned',
      expected: cells.closed,
    }),
    act: async (stage) => {
      const name = stage.name('alias');
      const script: UpstreamScript = (question) => {
        const { aliases, last } = chainOf(question, 3);
        return [said(honest(question, [...aliases, addressOf(last, truth)]))];
      };
      stage.script(name, script);
      const { addresses } = await stage.ask(name);
      if (!addresses.some(({ address }) => address === truth))
        stage.wrong('the end of the chain is not answered');
    },
  },
];

export const attacks: readonly DnsAttack[] = [...questions, ...forgeries, ...chains];
