/** What holds for an upstream's message: used or not as the model says, and what of it becomes pins and an answer. */
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import { offeredOctets } from '../../oracles/dns/guest-oracle.ts';
import {
  answerOctets,
  type RequiredPlan,
  requiredOfReply,
  requiredPlan,
  textOfAddress,
} from '../../oracles/dns/reply-oracle.ts';
import { type ReadMessage, readStrictly } from '../../oracles/dns/strict-reader.ts';
import type { AnswerPlan, CodecMessage } from './codec.ts';
import { countLooks, looksAllowed } from './counted-octets.ts';
import type { Finding } from './finding.ts';
import { type GuestContext, judgeBareSections } from './judge-guest.ts';
import { finding, guarded, hexOfOctets, judgeReading } from './judge-message.ts';

const server = { address: '192.0.2.53', port: 53 };
const mostLinks = 16;
/** A link: its owner as a pointer, ten octets, the longest name; an address: the same, and sixteen octets. */
const mostOctetsOverTcp = (pins: number) => 282 + mostLinks * (12 + 255) + pins * 28;

export interface Exchange {
  /** The guest's message, which was forwarded. */
  readonly guest: Uint8Array;
  readonly query: Uint8Array;
  readonly reply: Uint8Array;
  readonly remainingSeconds: number | null;
}

export function judgeExchange(context: GuestContext, exchange: Exchange, findings: Finding[]): void {
  const { codec, config, policy, transport } = context;
  const { query, reply } = exchange;
  const input = { query, sentTo: server, reply, from: server, transport };
  const judged = guarded(reply, findings, () => codec.judgeReply(policy, input));
  if (judged === null) return;
  const required = requiredOfReply(config, query, reply, transport);
  if (judged.verdict !== required.verdict) {
    const observed = `${judged.verdict} [${judged.rule}]`;
    findings.push(finding('reply', reply, observed, required.verdict));
  }
  if (judged.verdict !== 'accept' || required.verdict !== 'accept') return;
  const guest = guarded(exchange.guest, findings, () => codec.readMessage(exchange.guest));
  const read = readStrictly(exchange.guest);
  if (guest === null || read === null) return;
  const planned = guarded(reply, findings, () => codec.planAnswer(policy, guest, judged.message, transport));
  if (planned === null) return;
  const wanted = requiredPlan(config, read, required.read);
  judgePlan(context, exchange, { planned, wanted, read, message: judged.message }, findings);
}

interface Planned {
  readonly planned: AnswerPlan;
  readonly wanted: RequiredPlan;
  readonly read: ReadMessage;
  readonly message: CodecMessage;
}

function judgePlan(
  context: GuestContext,
  exchange: Exchange,
  { planned, wanted, read, message }: Planned,
  findings: Finding[],
): void {
  const { codec, config, transport } = context;
  const { guest: asked, reply, remainingSeconds } = exchange;
  const edns = offeredOctets(read);
  const limit = Math.min(Math.max(edns ?? 512, 512), 1_232);
  const fits = transport === 'tcp' || answerOctets(read, edns !== null, wanted) <= limit;
  const ends = wanted.code !== null || !fits;
  const addresses = planned.addresses.map(({ offset, length }) =>
    textOfAddress([...reply.subarray(offset, offset + length)]),
  );
  const owed = ends ? [] : wanted.addresses.map(textOfAddress);
  const say = (value: readonly string[], ttl: number | null) => `${value.join(' ') || 'nothing'} ttl ${ttl}`;
  const least = config.ttlFloorSeconds;
  const life = ends ? 0 : Math.min(Math.max(wanted.ttlSeconds, least), config.ttlCeilingSeconds);
  const got = say(addresses, planned.pinTtlSeconds);
  if (got !== say(owed, life) || (planned.final !== null) !== ends)
    findings.push(finding('plan', reply, `${got} [${planned.rule}]`, say(owed, life)));
  if (planned.addresses.length > config.maxPinsPerAnswer || planned.chain.length > mostLinks)
    findings.push(finding('size', reply, `${planned.addresses.length} pins`, 'within the bounds'));
  const guest = guarded(asked, findings, () => codec.readMessage(asked));
  if (guest === null) return;
  const built = guarded(reply, findings, () => codec.buildAnswer(guest, message, planned, remainingSeconds));
  if (built === null) return;
  const most = transport === 'udp' ? limit : mostOctetsOverTcp(config.maxPinsPerAnswer);
  if (built.length > most) findings.push(finding('size', reply, `${built.length} octets`, `at most ${most}`));
  judgeReading(codec, built, findings);
  const failed = remainingSeconds === null && !ends;
  const code = failed ? 2 : (wanted.code ?? 0);
  judgeAnswer(
    { exchange, built, wanted, planned: addresses, code, bare: ends || failed, cut: !fits },
    findings,
  );
}

interface Answered {
  readonly exchange: Exchange;
  readonly built: Uint8Array;
  readonly wanted: RequiredPlan;
  readonly planned: readonly string[];
  readonly code: number;
  /** No record may be in it. */
  readonly bare: boolean;
  readonly cut: boolean;
}

function judgeAnswer(answered: Answered, findings: Finding[]): void {
  const { exchange, built, wanted, planned, code, bare, cut } = answered;
  const { guest, reply, remainingSeconds } = exchange;
  const invariant = remainingSeconds === null && !cut ? 'fail-closed' : 'answer';
  const wrong = (observed: string, required: string) =>
    findings.push(finding(invariant, reply, observed, required));
  const read = readStrictly(built);
  if (read === null) return void wrong(hexOfOctets(built), 'a message');
  const flags =
    0x8080 | ((guest[2] ?? 0) & 1 ? 0x0100 : 0) | (cut && wanted.code === null ? 0x0200 : 0) | code;
  if (read.id !== (((guest[0] ?? 0) << 8) | (guest[1] ?? 0))) wrong(`ID ${read.id}`, "the guest's ID");
  if (read.flags !== flags) wrong(`flags ${read.flags.toString(16)}`, flags.toString(16));
  const [answers = []] = read.sections;
  const shown = answers.flatMap(({ type, data }) => (type === 5 ? [] : [textOfAddress(data)]));
  const alien = shown.filter((address) => !planned.includes(address));
  if (alien.length > 0) findings.push(finding('unplanned', reply, `answers ${alien[0]}`, planned.join(' ')));
  const before = findings.length;
  if (bare) judgeBareSections(guest, built, { echoes: true, code }, findings);
  // What a bare answer must not hold is a matter of failing closed here, not of the guest's message.
  for (const index of findings.keys()) {
    const one = findings[index];
    if (index >= before && one !== undefined) findings[index] = { ...one, invariant };
  }
  if (bare) return;
  const ttl = Math.min(wanted.ttlSeconds, Math.floor(remainingSeconds ?? 0));
  const chain = wanted.chain.map(({ owner, target }) => textOfParts(owner, 5, ttl, JSON.stringify(target)));
  const end = wanted.chain.at(-1)?.target ?? readStrictly(guest)?.questions[0]?.name ?? [];
  const addresses = wanted.addresses.map((data) =>
    textOfParts(end, data.length === 4 ? 1 : 28, ttl, data.join('.')),
  );
  const got = answers.map(({ owner, type, ttl: own, target, data }) =>
    textOfParts(owner, type, own, target === null ? data.join('.') : JSON.stringify(target)),
  );
  const wish = [...chain, ...addresses].join('; ');
  if (got.join('; ') !== wish) wrong(got.join('; '), wish);
  const second = decodeAnswer(hexOfOctets(built));
  const texts = second?.addresses.map(({ address, ttl: own }) => `${address} ${own}`).join(' ');
  const owed = wanted.addresses.map((data) => `${textOfAddress(data)} ${ttl}`).join(' ');
  if (texts !== owed || second?.foreign.length !== 0) wrong(`dns-packet reads ${texts}`, owed);
}

function textOfParts(owner: readonly string[], type: number, ttl: number, data: string): string {
  return `${JSON.stringify(owner)} ${type} ${ttl} ${data}`;
}

/** Looks of judging the reply and planning its answer, building included. */
export function judgeReplyWork(context: GuestContext, exchange: Exchange, findings: Finding[]): number {
  const { codec, policy, transport } = context;
  const { query, reply } = exchange;
  const counted = countLooks(reply);
  guarded(reply, findings, () => {
    const input = { query, sentTo: server, reply: counted.octets, from: server, transport };
    const judged = codec.judgeReply(policy, input);
    const guest = codec.readMessage(exchange.guest);
    if (judged.verdict !== 'accept' || guest === null) return;
    const plan = codec.planAnswer(policy, guest, judged.message, transport);
    codec.buildAnswer(guest, judged.message, plan, exchange.remainingSeconds);
  });
  const allowed = looksAllowed(reply.length);
  if (counted.looks() > allowed)
    findings.push(
      finding('work', reply, `${counted.looks()} looks at ${reply.length} octets`, `≤ ${allowed}`),
    );
  return counted.looks();
}
