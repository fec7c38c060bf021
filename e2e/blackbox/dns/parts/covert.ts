/**
 * F1.covert: what reaches the upstream for a disguised question is what reaches it for a plain one. Both are
 * asked several times, so that what the server varies by itself is no sign.
 */
import {
  encodeMessage,
  hexOf,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  types,
} from '#properties/models/dns-message.ts';
import { type ReadRecord, readStrictly } from '#properties/oracles/dns/strict-reader.ts';
import { type Finding, holds } from '../../finding.ts';
import { keyOf } from '../names.ts';
import type { Part } from '../part.ts';
import { type Asked, honestPlay, plainHex, type Stage } from '../stage.ts';

interface Disguise {
  readonly id: string;
  readonly sends: string;
  readonly clause: string;
  readonly transport?: 'udp' | 'tcp';
  dress(plain: ModelMessage): ModelMessage;
}

/** Octets that no server makes up. */
const marker = Buffer.from('guest-marker');
const asks = 3;

const opt = (raw: readonly number[], ttl = 0): ModelRecord => ({
  owner: [],
  type: types.opt,
  class: 1232,
  ttl,
  data: { raw },
});
const option = (code: number, data: readonly number[]) =>
  [0, 0, data.length >> 8, data.length & 255, ...data].with(0, code >> 8).with(1, code & 255);
const withOpt =
  (raw: readonly number[], ttl = 0) =>
  (plain: ModelMessage) => ({
    ...plain,
    additional: [opt(raw, ttl)],
  });
const withBits =
  (set: number, clear = 0) =>
  (plain: ModelMessage) => ({
    ...plain,
    flags: (plain.flags & ~clear) | set,
  });
const stowaway = (section: 'answers' | 'authority' | 'additional') => (plain: ModelMessage) => ({
  ...plain,
  [section]: [
    {
      owner: ['secret', 'test'],
      type: types.txt,
      class: 1,
      ttl: 0,
      data: { raw: [marker.length, ...marker] },
    },
  ],
});

const findings = 'RFC 5452 section 9.2';
const disguises: readonly Disguise[] = [
  { id: 'flags/checking-disabled', sends: 'CD=1', clause: 'RFC 4035 section 3.2.2', dress: withBits(0x10) },
  { id: 'flags/authentic-data', sends: 'AD=1', clause: 'RFC 6840 section 5.7', dress: withBits(0x20) },
  { id: 'flags/z', sends: 'the reserved bit Z', clause: 'RFC 1035 section 4.1.1', dress: withBits(0x40) },
  { id: 'flags/no-recursion', sends: 'RD=0', clause: findings, dress: withBits(0, 0x100) },
  { id: 'flags/code', sends: 'RCODE 15 in a query', clause: 'RFC 1035 section 4.1.1', dress: withBits(0x0f) },
  { id: 'flags/aa', sends: 'AA=1 in a query', clause: 'RFC 1035 section 4.1.1', dress: withBits(0x400) },
  {
    id: 'edns/client-subnet',
    sends: 'EDNS client subnet 10.1.2.0/24',
    clause: 'RFC 7871 section 7.1.2',
    dress: withOpt(option(8, [0, 1, 24, 0, 10, 1, 2])),
  },
  {
    id: 'edns/cookie',
    sends: 'a DNS cookie',
    clause: 'RFC 7873 section 4',
    dress: withOpt(option(10, [...marker.subarray(0, 8)])),
  },
  {
    id: 'edns/local-option',
    sends: 'an EDNS option for local use, with data of the guest',
    clause: 'RFC 6891 section 6.1.1',
    dress: withOpt(option(65_001, [...marker])),
  },
  { id: 'edns/dnssec-ok', sends: 'DO=1', clause: 'RFC 3225 section 3', dress: withOpt([], 0x8000) },
  {
    id: 'edns/z',
    sends: 'reserved EDNS flags',
    clause: 'RFC 6891 section 6.1.4',
    dress: withOpt([], 0x2aaa),
  },
  ...(['answers', 'authority', 'additional'] as const).map(
    (section): Disguise => ({
      id: `section/${section}`,
      sends: `a TXT record in ${section === 'answers' ? 'ANSWER' : section.toUpperCase()} of the query`,
      clause: 'RFC 1035 section 4.1',
      dress: stowaway(section),
    }),
  ),
  {
    id: 'tail',
    sends: 'octets after the question',
    clause: 'RFC 1035 section 4.1',
    dress: (plain) => ({ ...plain, trailing: [...marker] }),
  },
  {
    id: 'transport',
    sends: 'the plain query over TCP',
    clause: findings,
    transport: 'tcp',
    dress: (plain) => plain,
  },
];

/** Everything but ID, name and case, which have parts of their own; a client cookie is random by its nature. */
function shapeOf({ octets, name, transport }: Asked): string {
  const message = readStrictly(octets);
  if (message === null) return `malformed ${octets.subarray(2).toString('hex')}`;
  const { flags, questions, sections } = message;
  const own = keyOf(name);
  const nameText = (labels: readonly string[]) => (keyOf(labels) === own ? 'QNAME' : labels.join('.'));
  const record = (section: number, { owner, type, class: ownClass, ttl, data }: ReadRecord) =>
    `section ${section} ${nameText(owner)} ${type} ${ownClass} ${ttl} ${type === types.opt ? optionsOf(data) : hexOf([...data])}`;
  return [
    `over ${transport}`,
    `flags ${flags.toString(16).padStart(4, '0')}`,
    ...questions.map((one) => `question ${nameText(one.name)} ${one.type} ${one.class}`),
    ...sections.flatMap((records, index) => records.map((one) => record(index + 1, one))),
  ].join('; ');
}

const cookieOption = 10;

function optionsOf(data: readonly number[]): string {
  const found: string[] = [];
  for (let at = 0; at + 4 <= data.length; ) {
    const code = ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
    const length = ((data[at + 2] ?? 0) << 8) | (data[at + 3] ?? 0);
    const value = hexOf(data.slice(at + 4, at + 4 + length));
    found.push(`option ${code} ${code === cookieOption ? 'a cookie' : value}`);
    at += 4 + length;
  }
  return found.join(' ');
}

/** What the upstream is asked for one question; its first message, the others are retries of the server's. */
async function upstreamOf(
  stage: Stage,
  partId: string,
  dress: Disguise['dress'],
  transport?: 'udp' | 'tcp',
): Promise<Asked | null> {
  const name = stage.names.next(partId);
  const options = transport === undefined ? {} : { transport };
  await stage.exchange(name, dress(query(name, types.a)), honestPlay(name), options);
  return stage.upstream.seen(name[0] ?? '')[0] ?? null;
}

async function several(stage: Stage, id: string, dress: Disguise['dress'], transport?: 'udp' | 'tcp') {
  const found: (Asked | null)[] = [];
  for (let index = 0; index < asks; index++) found.push(await upstreamOf(stage, id, dress, transport));
  return found.filter((asked) => asked !== null);
}

function plainShapes(stage: Stage): Promise<ReadonlySet<string>> {
  return stage.remembered('plain shapes', async () => {
    const plain = await several(stage, 'upstream/plain', (message) => message);
    const more = await several(stage, 'upstream/plain', (message) => message);
    return new Set([...plain, ...more].map(shapeOf));
  });
}

async function judge(stage: Stage, { id, dress, transport }: Disguise): Promise<Finding> {
  const plain = await plainShapes(stage);
  if (plain.size === 0)
    return { outcome: 'not-run', observed: 'no plain question reached the upstream', give: '' };
  const disguised = await several(stage, `upstream/${id}`, dress, transport);
  if (disguised.length === 0) return holds('nothing goes upstream');
  const marked = disguised.find(({ octets }) => octets.includes(marker.subarray(0, 8)));
  const other = marked ?? disguised.find((asked) => !plain.has(shapeOf(asked)));
  if (other === undefined) return holds('the upstream is asked as for a plain question');
  return { outcome: 'falsified', observed: difference([...plain], shapeOf(other)), hex: other.hex };
}

function difference(plain: readonly string[], got: string): string {
  const known = new Set(plain.flatMap((shape) => shape.split('; ')));
  const more = got.split('; ').filter((piece) => !known.has(piece));
  return `upstream: ${more.length === 0 ? got : more.join('; ')}`;
}

/** The guest's ID is the upstream's, each time. */
async function judgeId(stage: Stage): Promise<Finding> {
  const ids: [number, number][] = [];
  for (let index = 0; index < asks; index++) {
    const name = stage.names.next('upstream/id');
    stage.upstream.script(name, honestPlay(name));
    const id = stage.nextId();
    await stage.ask(encodeMessage(query(name, types.a, id)));
    const asked = stage.upstream.seen(name[0] ?? '')[0];
    if (asked !== undefined) ids.push([id, asked.octets.readUInt16BE(0)]);
  }
  if (ids.length === 0) return { outcome: 'not-run', observed: 'no question reached the upstream', give: '' };
  const words = ids.map(([own, upstream]) => `${own} → ${upstream}`).join(', ');
  return ids.every(([own, upstream]) => own === upstream)
    ? { outcome: 'falsified', observed: `IDs ${words}` }
    : holds(`IDs ${words}`);
}

/** A pattern of cases for each ask: every second letter, every third, then both. */
function patterned(name: Labels, round: number): Labels {
  let letters = 0;
  return name.map((label) =>
    label.replace(/[a-z]/g, (letter) => {
      letters += 1;
      return letters % (round + 2) === 0 ? letter.toUpperCase() : letter;
    }),
  );
}

async function judgeCase(stage: Stage): Promise<Finding> {
  const kept: string[] = [];
  let reached = 0;
  for (let round = 0; round < asks; round++) {
    const name = stage.names.next('upstream/case');
    const written = patterned(['case-of-the-guest', ...name], round);
    stage.upstream.script(written, honestPlay(written));
    await stage.ask(encodeMessage(query(written, types.a, stage.nextId())));
    const asked = stage.upstream.seen(name[0] ?? '')[0];
    if (asked === undefined) continue;
    reached += 1;
    if (asked.name.join('.') === written.join('.')) kept.push(written.join('.'));
  }
  if (reached === 0) return { outcome: 'not-run', observed: 'no question reached the upstream', give: '' };
  return kept.length === reached
    ? { outcome: 'falsified', observed: `upstream: ${kept[0]}` }
    : holds('the case of the guest is gone');
}

const never = 'it shows in what the upstream is asked';

export function covertParts(): Part[] {
  const base = { claim: 'F1.covert', never } as const;
  return [
    {
      ...base,
      id: 'upstream/id',
      sends: 'IDs of the guest',
      clause: 'RFC 5452 section 9.2: an unpredictable ID',
      messages: (names) => ({ guest: [plainHex(names.of('upstream/id'), types.a)], upstream: [] }),
      run: judgeId,
    },
    {
      ...base,
      id: 'upstream/case',
      sends: 'a pattern of upper and lower case',
      clause: 'RFC 4343; draft-vixie-dnsext-dns0x20',
      messages: (names) => ({
        guest: [plainHex(patterned(['case-of-the-guest', ...names.of('upstream/case')], 0), types.a)],
        upstream: [],
      }),
      run: judgeCase,
    },
    ...disguises.map(
      (disguise): Part => ({
        ...base,
        id: `upstream/${disguise.id}`,
        sends: disguise.sends,
        clause: disguise.clause,
        messages: (names) => ({
          guest: [hexOf(encodeMessage(disguise.dress(query(names.of(`upstream/${disguise.id}`), types.a))))],
          upstream: [],
        }),
        run: (stage) => judge(stage, disguise),
      }),
    ),
  ];
}
