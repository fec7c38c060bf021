/**
 * What a hostile guest hides in its questions, what it gets back beside addresses, and messages that are malformed.
 */
import { flags, type ModelMessage, type ModelRecord, query, types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { addressOf, at, honest, labelsOf, nameIn, octets, said } from './dns-messages.ts';
import { hosts } from './guest-frames.ts';

const lie = hosts.forbidden;
const secret = Buffer.from('exfiltrated');
/** Linux' own: net.ipv4.ip_local_port_range. */
const [firstPort, portRoom] = [32_768, 28_232];
const tries = 1_400;

/** Questions that reached a server for the name, in order. */
const upstreamOf = (stage: DnsStage, name: string) =>
  stage.servers.flatMap(({ questions }) =>
    questions.filter((asked) => asked.name === name).map(({ message }) => message),
  );

/** RFC 6891, with an option in it. */
const opt = (code: number, data: Uint8Array): ModelRecord => ({
  owner: [],
  type: types.opt,
  class: 4096,
  ttl: 0x8000,
  data: { raw: [code >> 8, code & 255, data.length >> 8, data.length & 255, ...data] },
});

const covertWords = {
  claim: 'F1.covert',
  source: 'findings.md F1, residual: the guest’s own ID, EDNS options, CD bit and extra sections go upstream',
  shows: 'anything of the guest’s in the message upstream',
  expected: cells.residual,
} as const;

const covert: readonly DnsAttack[] = [
  {
    ...covertWords,
    id: 'dns-guest.smuggled-options',
    statement: 'no option, flag, section or ID of the guest’s message ever goes upstream',
    showpiece: true,
    act: async (stage) => {
      const name = stage.name('smuggle');
      stage.script(name, at([hosts.pinned]));
      const loaded: ModelMessage = {
        ...query(labelsOf(name), types.a, 0x4d4d),
        flags: flags.recursionDesired | 0x0010 | 0x0020,
        authority: [
          { owner: labelsOf('a.test'), type: types.txt, class: 1, ttl: 0, data: { raw: [...secret] } },
        ],
        additional: [
          opt(8, secret),
          { owner: [], type: types.txt, class: 1, ttl: 0, data: { raw: [...secret] } },
        ],
      };
      await stage.ask(name, { message: octets(loaded) });
      const plain = stage.name('smuggle');
      stage.script(plain, at([hosts.pinned]));
      await stage.ask(plain);
      const [first] = upstreamOf(stage, name);
      const [second] = upstreamOf(stage, plain);
      // Extra sections may be refused as well: then nothing went upstream at all.
      if (second === undefined) stage.wrong('a plain question never went upstream');
      if (first === undefined || second === undefined) return;
      if (first.includes(secret)) stage.wrong('the guest’s octets are in the message upstream');
      if (first.readUInt16BE(0) === 0x4d4d) stage.wrong('the guest’s ID is the ID upstream');
      if (!first.subarray(2, 12).equals(second.subarray(2, 12)))
        stage.wrong('flags or counts upstream follow the guest’s');
      if (first.length !== second.length)
        stage.wrong(`${first.length} octets went upstream, for a plain question ${second.length}`);
    },
  },
  {
    ...covertWords,
    id: 'dns-guest.smuggled-case',
    statement: 'the case of the guest’s letters never goes upstream',
    act: async (stage) => {
      let same = 0;
      const words = ['AbCdEfGhIj', 'aBcDeFgHiJ', 'ABCDEfghij', 'abcdeFGHIJ'];
      for (const word of words) {
        const name = stage.name(word);
        stage.script(name.toLowerCase(), at([hosts.pinned]));
        await stage.ask(name);
        const [asked] = upstreamOf(stage, name.toLowerCase());
        if (asked?.includes(Buffer.from(name.split('.')[0] ?? ''))) same += 1;
      }
      // By chance alone: once in 2^40.
      if (same === words.length)
        stage.wrong('each name went upstream in the case in which the guest wrote it');
    },
  },
  {
    ...covertWords,
    id: 'dns-guest.told-forger',
    statement: 'a guest that tells a forger its ID never gets the forger’s reply accepted',
    source: 'RFC 5452 section 4.3; findings.md F1, residual: a help to off-path spoofing',
    shows: 'the forged address in the set, in the answer, or a connection to it',
    act: async (stage) => {
      const name = stage.name('told');
      const id = stage.random(65_536);
      const guessed = octets({
        ...query(labelsOf(name), types.a, id),
        flags: flags.response | flags.recursionDesired | flags.recursionAvailable,
        answers: [addressOf(labelsOf(name), lie)],
      });
      const [server] = stage.servers;
      stage.script(name, (question) => {
        // All that is left to guess is the port: a forger's luck in one of twenty tries.
        const ports = Array.from({ length: tries }, () => firstPort + stage.random(portRoom));
        ports[stage.random(tries)] = question.from.port;
        stage.say(
          `a forger sends ${tries} replies with ID ${id}, each to a port; the right one is among them`,
        );
        stage.pod.dns.sprayPorts({ from: server.place, to: question.from, data: guessed }, ports);
        return [said(honest(question, [addressOf(nameIn(question), hosts.pinned)]), { afterMs: 300 })];
      });
      await stage.ask(name, { message: octets(query(labelsOf(name), types.a, id)) });
      await stage.connect(lie);
    },
  },
];

const foreignOf = (stage: DnsStage, foreign: readonly string[] | undefined) => {
  for (const what of foreign ?? []) stage.wrong(`the guest was given ${what}`);
};

const hintWords = {
  claim: 'F1.hints',
  source: 'findings.md F1, residual: relays AUTHORITY/ADDITIONAL and SVCB address hints',
  shows: 'a record in the guest’s answer that is not the alias or the address it asked for',
  expected: cells.residual,
} as const;

/** RFC 9460: priority 1, target ".", ipv4hint. */
const httpsHint = (name: string, address: readonly number[]): ModelRecord => ({
  owner: labelsOf(name),
  type: types.https,
  class: 1,
  ttl: 60,
  data: { raw: [0, 1, 0, 0, 4, 0, 4, ...address] },
});

const hints: readonly DnsAttack[] = [
  {
    ...hintWords,
    id: 'dns-guest.glue',
    statement: 'an address in AUTHORITY or ADDITIONAL never reaches the guest',
    showpiece: true,
    act: async (stage) => {
      const name = stage.name('glue');
      stage.script(name, (question) => {
        const server = labelsOf('ns.evil.test');
        const reply = honest(question, [addressOf(nameIn(question), hosts.pinned)]);
        const authority = [
          { owner: labelsOf('ok.test'), type: types.ns, class: 1, ttl: 60, data: { target: server } },
        ];
        return [said({ ...reply, authority, additional: [addressOf(server, lie)] })];
      });
      foreignOf(stage, (await stage.ask(name)).decoded?.foreign);
    },
  },
  {
    ...hintWords,
    id: 'dns-guest.hint-in-answer',
    statement: 'an address hint in ANSWER never reaches the guest',
    source: 'RFC 9460 section 7.3; findings.md F1, residual',
    act: async (stage) => {
      const name = stage.name('hint');
      stage.script(name, (question) => [
        said(
          honest(question, [
            addressOf(nameIn(question), hosts.pinned),
            httpsHint(name, [169, 254, 169, 254]),
          ]),
        ),
      ]);
      foreignOf(stage, (await stage.ask(name)).decoded?.foreign);
    },
  },
  {
    ...hintWords,
    id: 'dns-guest.hint-asked-for',
    statement: 'a question for HTTPS, SVCB, TXT or ANY never brings a record to the guest',
    source: 'findings.md F1, reference: an allowlisted name of another type gets NODATA',
    expected: cells.closed,
    act: async (stage) => {
      for (const type of [types.https, types.svcb, types.txt, types.any, types.ns]) {
        const name = stage.name('type');
        stage.script(name, (question) => [said(honest(question, [httpsHint(name, [169, 254, 169, 254])]))]);
        const { decoded, message } = await stage.ask(name, { type, deadlineMs: 400 });
        foreignOf(stage, decoded?.foreign);
        if (message === null) stage.say(`type ${type}: silence`);
        if (upstreamOf(stage, name).length > 0) stage.wrong(`type ${type} went upstream`);
      }
    },
  },
];

/** A pointer to itself, a label that ends nowhere, and so on: each after a header that says one question. */
const header = (counts: readonly number[], bits = 0x0100) =>
  Buffer.from([0x12, 0x34, bits >> 8, bits & 255, ...counts.flatMap((count) => [count >> 8, count & 255])]);
const oneQuestion = [1, 0, 0, 0];

function malformed(name: string): readonly (readonly [what: string, message: Buffer])[] {
  const plain = octets(query(labelsOf(name), types.a, 0x1234));
  const two = query(labelsOf(name), types.a, 0x1234);
  return [
    ['two questions', octets({ ...two, questions: [...two.questions, ...two.questions] })],
    ['a count of two, one question', octets({ ...two, countsOff: [1, 0, 0, 0] })],
    ['no question', header([0, 0, 0, 0])],
    ['a pointer to itself', Buffer.concat([header(oneQuestion), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
    ['a pointer beyond the end', Buffer.concat([header(oneQuestion), Buffer.from([0xff, 0xff, 0, 1, 0, 1])])],
    [
      'a label of 64',
      Buffer.concat([
        header(oneQuestion),
        Buffer.from([0x40]),
        Buffer.alloc(64, 97),
        Buffer.from([0, 0, 1, 0, 1]),
      ]),
    ],
    [
      'a name of 300 octets',
      Buffer.concat([
        header(oneQuestion),
        ...Array.from({ length: 30 }, () => Buffer.from([9, ...Buffer.from('aaaaaaaaa')])),
        plain.subarray(12),
      ]),
    ],
    ['cut in the name', plain.subarray(0, 16)],
    ['cut in the type', plain.subarray(0, plain.length - 3)],
    ['octets behind the end', Buffer.concat([plain, secret])],
    ['a response', octets({ ...two, flags: flags.response })],
    ['an update', octets({ ...two, flags: 0x2800 })],
  ];
}

/** A stub asks again: what a full buffer lost is no failure of the proxy. */
async function answeredWithin(stage: DnsStage, name: string): Promise<boolean> {
  for (let tries = 0; tries < 6; tries++) {
    if ((await stage.ask(name, { deadlineMs: 700 })).addresses.length > 0) return true;
  }
  return false;
}

const malformedWords = {
  claim: 'F1.malformed',
  source: 'RFC 1035 sections 4.1, 4.1.4, RFC 9267; findings.md F1',
  expected: cells.residual,
} as const;

const malformedOnes: readonly DnsAttack[] = [
  {
    ...malformedWords,
    id: 'dns-guest.malformed',
    statement: 'a malformed question gets FORMERR or silence, never goes upstream, never makes a pin',
    shows: 'the question upstream, an address in the answer, a pin',
    showpiece: true,
    act: async (stage) => {
      const name = stage.name('malformed');
      stage.script(name, at([lie]));
      for (const [what, message] of malformed(name)) {
        const before = stage.servers.map(({ questions }) => questions.length);
        const { addresses, rcode } = await stage.ask(name, { message, deadlineMs: 60 });
        if (addresses.length > 0)
          stage.wrong(`${what}: answered ${addresses.map(({ address }) => address).join(' ')}`);
        if (stage.servers.some(({ questions }, index) => questions.length > (before[index] ?? 0))) {
          stage.wrong(`${what}: went upstream`);
        }
        stage.say(`${what}: ${rcode}`);
      }
    },
  },
  {
    ...malformedWords,
    id: 'dns-guest.malformed-upstream',
    statement: 'a malformed reply never makes a pin or an address in the answer',
    shows: 'an address of a malformed reply in the set, in the answer, or a connection to it',
    act: async (stage) => {
      const cuts = [3, 7, 12];
      for (const cut of cuts) {
        const name = stage.name('torn');
        stage.script(name, (question) => {
          const owner = nameIn(question);
          const whole = octets(honest(question, [addressOf(owner, lie), addressOf(owner, hosts.pinned)]));
          return [{ message: whole.subarray(0, whole.length - cut) }];
        });
        await stage.ask(name, { deadlineMs: 150 });
      }
      const name = stage.name('length');
      stage.script(name, (question) => {
        const owner = nameIn(question);
        const long = { ...addressOf(owner, hosts.pinned), data: { raw: [1, 2, 3, 4, 5] } };
        return [said(honest(question, [addressOf(owner, lie), long]))];
      });
      await stage.ask(name, { deadlineMs: 150 });
      await stage.connect(lie);
    },
  },
  {
    ...malformedWords,
    id: 'dns-guest.malformed-many',
    statement: 'a thousand malformed messages never keep a well-formed one from its answer',
    source: 'findings.md F1: bounded work',
    shows: 'a question that is not answered',
    expected: cells.closed,
    act: async (stage) => {
      const name = stage.name('malformed');
      const shapes = malformed(name).map(([, message]) => message);
      stage.script(name, () => []);
      const harmless = shapes.slice(2);
      for (let sent = 0; sent < 1_000; sent++) {
        const shape = harmless[stage.random(harmless.length - 4)] ?? header([0, 0, 0, 0]);
        stage.send(name, { message: shape });
        if (sent % 100 === 99) await stage.pause(2);
      }
      const good = stage.name('good');
      stage.script(good, at([hosts.pinned]));
      if (!(await answeredWithin(stage, good))) stage.wrong('a well-formed question is not answered');
    },
  },
];

export const attacks: readonly DnsAttack[] = [...covert, ...hints, ...malformedOnes];
