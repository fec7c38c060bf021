/** Too much of everything, beside an honest neighbour: pins, questions under way, floods, servers that fail. */
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { encodeMessage, query, types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { addressOf, at, honest, labelsOf, nameIn, said } from './dns-messages.ts';
import { framed, questionFor, SegmentedTcp } from './dns-tcp.ts';
import { hosts } from './guest-frames.ts';

const pinsPerAnswer = 64;
const pinsPerSet = 1_024;
/** Of one client; the reference has 512. */
const manyUnderWay = 768;
const firstPort = 1_024;
const burst = 256;
const round = 128;
const roundMs = 240;
const enoughQuestions = 3_000;
const tries = 8;

/** Public addresses of one network, `from` on. */
const manyAddresses = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, index) => `151.101.${128 + ((from + index) >> 8)}.${(from + index) & 255}`,
  );

const own = (stage: DnsStage) => stage.pod.dns.pins(stage.guest.place.tap).filter(({ port }) => port !== 9);

/** The neighbour asks as a stub does, again and again; whether it was answered. */
async function neighborAnswered(stage: DnsStage): Promise<boolean> {
  const { sibling } = stage;
  if (sibling === null) throw new Error('an attack beside a neighbour');
  const name = stage.name('honest');
  stage.script(name, at([hosts.pinned]));
  for (let asked = 0; asked < tries; asked++) {
    if ((await stage.ask(name, { from: sibling, deadlineMs: 700 })).addresses.length > 0) return true;
  }
  return false;
}

const bounded = {
  claim: 'F1.bounds',
  source:
    'findings.md F1, reference: at most 64 pins per answer, 1,024 elements per set; overflow fails closed',
  expected: cells.residual,
} as const;

const pins: readonly DnsAttack[] = [
  {
    ...bounded,
    id: 'dns-load.one-answer',
    statement: 'one answer never makes more than 64 pins, and what is answered is pinned',
    shows: 'more than 64 pins of one answer',
    mayPin: manyAddresses(84),
    falsifiedBy: ['thousands-of-pins'],
    showpiece: true,
    act: async (stage) => {
      const name = stage.name('many');
      stage.script(name, at(manyAddresses(84)));
      // Over TCP: an answer of that many addresses fits no datagram that a stub takes.
      const stream = await SegmentedTcp.open(stage);
      stream?.send(framed(questionFor(name)));
      const [answer] = (await stream?.messages(1, 12_000)) ?? [];
      if (answer !== undefined) stage.heard(stage.guest, answer);
      stream?.reset();
      const count = own(stage).filter(
        ({ address }) => address.startsWith('151.101.1') && address !== hosts.pinned,
      ).length;
      if (count > pinsPerAnswer) stage.wrong(`one answer made ${count} pins`);
      if (count === 0) stage.wrong('nothing of the answer was pinned');
    },
  },
  {
    ...bounded,
    id: 'dns-load.set-overflow',
    statement: 'a set never holds more than 1,024 elements, and what does not fit is never answered',
    shows: 'more than 1,024 elements, or an answer without its pin',
    sibling: true,
    mayPin: manyAddresses(60),
    closesControl: true,
    act: async (stage) => {
      stage.pod.dns.fillSet(stage.guest.place.tap, fillers(pinsPerSet - 30));
      for (const from of [0, 20, 40]) {
        const name = stage.name('more');
        stage.script(name, at(manyAddresses(20, from)));
        await stage.ask(name, { deadlineMs: 8_000 });
      }
      const all = stage.pod.dns.pins(stage.guest.place.tap).length;
      if (all > pinsPerSet) stage.wrong(`the set holds ${all} elements`);
      if (!(await neighborAnswered(stage)))
        stage.wrong('the neighbour is not answered while the guest’s set is full');
    },
  },
];

const fillers = (count: number) =>
  Array.from({ length: count }, (_, index) => `23.192.${index >> 8}.${index & 255}`);

/** Questions that a server saw and whose guest was not told anything yet. */
function underWay(stage: DnsStage): number {
  const seen = new Set(
    stage.servers.flatMap(({ questions }) =>
      questions.map(({ name }) => name).filter((name) => name.startsWith('silent')),
    ),
  );
  const told = stage.guest.frames.filter(
    ({ outgoing, frame }) => !outgoing && readFrame(frame).toPort !== undefined,
  );
  for (const { frame } of told) seen.delete(`silent${(readFrame(frame).toPort ?? 0) - firstPort}.ok.test`);
  return seen.size;
}

/** As fast as they get through: what is sent faster is lost in a buffer, and shows nothing. */
async function crowd(stage: DnsStage): Promise<number> {
  let most = 0;
  let still = 0;
  for (let sent = 0; sent < enoughQuestions && still < 4 && most <= manyUnderWay; ) {
    for (const untilSent = sent + round; sent < untilSent; sent++) silentQuestion(stage, sent);
    const before = stage.servers[0].questions.length;
    const untilMs = performance.now() + roundMs;
    while (stage.servers[0].questions.length < before + round && performance.now() < untilMs)
      await stage.pause(1);
    still = stage.servers[0].questions.length === before ? still + 1 : 0;
    most = Math.max(most, underWay(stage));
  }
  return most;
}

function silentQuestion(stage: DnsStage, id: number): void {
  const message = Buffer.from(encodeMessage(query(labelsOf(`silent${id}.ok.test`), types.a, id)));
  stage.send('', { message, fromPort: firstPort + (id % 60_000), id });
}

const crowds: readonly DnsAttack[] = [
  {
    ...bounded,
    id: 'dns-load.under-way',
    statement:
      'a guest with 65,535 questions that nobody answers never has them all under way, nor stops its neighbour',
    source: 'findings.md F1; RFC 5452 section 4.3: a proxy has 65,535 IDs',
    shows: 'more of its questions under way than the bound, or a neighbour that is not answered',
    falsifiedBy: ['clients-unbounded'],
    sibling: true,
    closesControl: true,
    act: async (stage) => {
      const most = await crowd(stage);
      stage.say(`${most} questions of one guest were under way at once`);
      if (most > manyUnderWay) {
        stage.wrong(`${most} questions of one guest are under way`);
        return;
      }
      for (let sent = enoughQuestions; sent < 65_535; sent++) {
        silentQuestion(stage, sent);
        if (sent % burst === burst - 1) await stage.pause(1);
      }
      if (!(await neighborAnswered(stage))) stage.wrong('the neighbour is not answered');
    },
  },
  {
    ...bounded,
    id: 'dns-load.refused-flood',
    statement: 'a flood of questions that are refused never keeps a neighbour from its answer',
    source: 'findings.md F4, load; issue 7 (4): a flood by one guest beside an honest one',
    shows: 'a neighbour that is not answered',
    sibling: true,
    expected: cells.closed,
    closesControl: true,
    act: async (stage) => {
      let over = false;
      const flood = (async () => {
        for (let sent = 0; sent < 20_000 && !over; sent++) {
          stage.send(`name${sent}.elsewhere.test`);
          if (sent % burst === burst - 1) await stage.pause(1);
        }
      })();
      await stage.pause(20);
      const answered = await neighborAnswered(stage);
      over = true;
      await flood;
      if (!answered) stage.wrong('the neighbour is not answered during the flood');
    },
  },
  {
    ...bounded,
    id: 'dns-load.same-name',
    statement: 'a name that many ask at once is answered to each with a pin that stands',
    source: 'issue 7 (1): singleflight',
    shows: 'an answer without its pin',
    expected: cells.closed,
    act: async (stage) => {
      const name = stage.name('same');
      stage.script(name, (question, nth) =>
        at([hosts.pinned])(question, nth).map((reply) => ({ ...reply, afterMs: 60 })),
      );
      const got = await Promise.all(
        Array.from({ length: 12 }, () => stage.ask(name, { deadlineMs: 12_000 })),
      );
      const missing = got.filter(({ addresses }) => addresses.length === 0).length;
      if (missing > 0) stage.wrong(`${missing} of 12 were not answered`);
    },
  },
];

const failing = {
  source: 'issue 7 (4): slow, lying, dead upstreams; findings.md F1: the first upstream that answers',
  expected: cells.closed,
} as const;

const servers: readonly DnsAttack[] = [
  {
    ...failing,
    id: 'dns-load.dead-server',
    claim: 'F1.public',
    statement: 'a public address is always pinned when the first server is dead and the second answers',
    shows: 'a question without an answer',
    act: async (stage) => {
      stage.servers[0].kill();
      const name = stage.name('second');
      stage.servers[1].script(name, at([hosts.pinned]));
      const { addresses, rcode } = await stage.ask(name, { deadlineMs: 12_000 });
      if (addresses.length === 0) stage.wrong(`the second server answered, and the guest got ${rcode}`);
    },
  },
  {
    ...failing,
    id: 'dns-load.slow-server',
    claim: 'F1.public',
    statement: 'a public address is always pinned when its server is slow',
    shows: 'a question without an answer',
    act: async (stage) => {
      const name = stage.name('slow');
      stage.script(name, (question, nth) =>
        at([hosts.pinned])(question, nth).map((reply) => ({ ...reply, afterMs: 500 })),
      );
      const { addresses, rcode } = await stage.ask(name, { deadlineMs: 12_000 });
      if (addresses.length === 0) stage.wrong(`the server answered after 500 ms, and the guest got ${rcode}`);
    },
  },
  {
    ...failing,
    id: 'dns-load.silent-servers',
    claim: 'F1.iff',
    statement: 'a question that no server answers gets SERVFAIL or silence, and never a pin',
    shows: 'a pin, or an answer without SERVFAIL',
    act: async (stage) => {
      const name = stage.name('silence');
      stage.script(name, () => []);
      const { rcode, message } = await stage.ask(name, { deadlineMs: 6_000 });
      if (message !== null && rcode !== 'SERVFAIL') stage.wrong(`no server answered, and ${rcode} was said`);
    },
  },
  {
    ...failing,
    id: 'dns-load.late-reply',
    claim: 'F1.source',
    statement: 'a reply that comes after the wait ended never makes a pin',
    source: 'RFC 5452 section 9.1: a reply without a question is not used',
    shows: 'the late address in the set, or a connection to it',
    act: async (stage) => {
      const name = stage.name('late');
      stage.script(name, (question) => [
        said(honest(question, [addressOf(nameIn(question), hosts.forbidden)]), { afterMs: 5_000 }),
      ]);
      const begunMs = performance.now();
      const { rcode } = await stage.ask(name, { deadlineMs: 4_900 });
      stage.say(`the wait ended with ${rcode}; the late reply is still to come`);
      await stage.pause(begunMs + 5_400 - performance.now());
      await stage.connect(hosts.forbidden);
    },
  },
];

export const attacks: readonly DnsAttack[] = [...pins, ...crowds, ...servers];
