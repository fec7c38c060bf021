/**
 * F6.witness, the lines: whatever a host or its death puts on the channel, the agent refuses it and answers the
 * next.
 */
import * as fc from 'fast-check';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { type Finding, failures, holds } from '../../finding.ts';
import { type AgentSession, isGranted, objectIn, reseedOf } from '../agent-session.ts';
import { brokenBy, mustGrant, mustRefuse } from '../findings-of-answers.ts';
import { type Part, protocol } from '../part.ts';
import type { Settings } from '../settings.ts';
import type { Stage } from '../stage.ts';

const ping = '{"method":"ping"}\n';
const pieceGapMs = 20;
const otherVersion = 99;

/** One line, and who refuses it answers a ping afterwards. */
async function refusedThenPing(session: AgentSession, octets: string | Buffer): Promise<Finding> {
  const finding = mustRefuse(await session.ask(octets), 'it was taken for a request, and done');
  if (failures.has(finding.outcome)) return finding;
  return (await pinged(session)) ?? finding;
}

/** null: it answers. */
async function pinged(session: AgentSession): Promise<Finding | null> {
  const finding = mustGrant(await session.ping(), '');
  return finding.outcome === 'holds'
    ? null
    : { ...finding, observed: `a ping after it: ${finding.observed}` };
}

type Act = (session: AgentSession) => Promise<Finding>;

async function inPieces(session: AgentSession): Promise<Finding> {
  await session.write(ping.slice(0, 6));
  await new Promise((resolve) => setTimeout(resolve, pieceGapMs));
  return mustGrant(await session.ask(ping.slice(6)), 'answered');
}

async function twoAtOnce(session: AgentSession): Promise<Finding> {
  const first = await session.ask(`${ping}{"method":"no-such-method"}\n`);
  const finding = mustGrant(first, 'both answered, in order');
  if (finding.outcome !== 'holds') return finding;
  const second = mustRefuse(await session.next(), 'the second, which names no method, was done');
  return failures.has(second.outcome) ? second : finding;
}

async function halfThenGone(session: AgentSession): Promise<Finding> {
  await session.write(ping.slice(0, 10));
  await session.reopen();
  return mustGrant(await session.ping(), 'the next host is answered');
}

async function goneAtOnce(session: AgentSession): Promise<Finding> {
  await session.reopen();
  await session.reopen();
  return mustGrant(await session.ping(), 'the next host is answered');
}

async function blank(session: AgentSession): Promise<Finding> {
  let heard = await session.ask(`\n${ping}`);
  // It may be refused; it may not swallow the next.
  if (objectIn(heard)?.ok === false) heard = await session.next();
  return mustGrant(heard, 'the request behind it is answered');
}

async function version(session: AgentSession): Promise<Finding> {
  const request = { ...reseedOf(1), version: otherVersion, host_wall_clock_nanos: Date.now() * 1e6 };
  const heard = await session.ask({ method: 'notify_forked', ...request });
  const finding = mustRefuse(heard, 'a request of a version that nobody speaks was done');
  if (failures.has(finding.outcome)) return finding;
  const named = /version|99/.test(String(objectIn(heard)?.error));
  return named
    ? finding
    : { outcome: 'falsified', observed: `${finding.observed}: the version is not named` };
}

const line =
  (octets: string | Buffer): Act =>
  (session) =>
    refusedThenPing(session, octets);

const rows: readonly [id: string, sends: string, shows: string, act: Act][] = [
  ['not-json', 'text that is no JSON', 'no JSON', line('no JSON\n')],
  ['cut-off', 'the beginning of an object, and a newline', '{"method":', line('{"method":\n')],
  ['array', 'an array', '[]', line('[]\n')],
  ['null', 'null', 'null', line('null\n')],
  ['no-method', 'an object without a method', '{}', line('{}\n')],
  ['method-number', 'a method that is a number', '{"method":1}', line('{"method":1}\n')],
  [
    'method-unknown',
    'a method that there is not',
    '{"method":"no-such-method"}',
    line('{"method":"no-such-method"}\n'),
  ],
  [
    'method-inherited',
    'a method that objects inherit',
    '{"method":"toString"}',
    line('{"method":"toString"}\n'),
  ],
  [
    'field-missing',
    'notify_forked without its fields',
    '{"method":"notify_forked"}',
    line('{"method":"notify_forked"}\n'),
  ],
  ['version', 'notify_forked of version 99', '{"method":"notify_forked","version":99,…}', version],
  ['not-utf8', 'octets that are no UTF-8', '7bfffe7d', line(Buffer.from('7bfffe7d0a', 'hex'))],
  ['nul', 'a NUL', '00', line('\0\n')],
  ['deep', '30,000 brackets', '[[[…', line(`${'['.repeat(30_000)}\n`)],
  ['too-long', 'a line of 70,000 octets', 'xxx…', line(`${'x'.repeat(maxLineOctets + 4_464)}\n`)],
  ['blank', 'an empty line, and a ping', '', blank],
  ['in-pieces', 'a ping in two pieces', '{"meth|od":"ping"}', inPieces],
  [
    'two-at-once',
    'a second request while the first is in flight',
    '{"method":"ping"}\\n{"method":"no-such-method"}',
    twoAtOnce,
  ],
  ['half-then-gone', 'half a line; the host goes, and comes again', '{"method":', halfThenGone],
  ['gone-at-once', 'a host that goes without a word, and comes again', '', goneAtOnce],
];

const clause = `${protocol}: a line that is none is refused, and the channel goes on`;
const never = 'it is done, or keeps the next request from its answer';

async function onFirst(stage: Stage, act: Act): Promise<Finding> {
  const [first] = await stage.siblings();
  if (first === undefined) throw new Error('siblings are one at least');
  const { session } = first;
  if (stage.lineFault !== null) return stage.lineFault;
  if (session.isClosed || session.waiting > 0) await session.reopen();
  const before = await session.ping();
  if (!isGranted(before)) {
    const why = brokenBy(before)?.observed ?? 'it refuses';
    stage.lineFault = {
      outcome: 'not-run',
      observed: `the agent answers no ping before it: ${why}`,
      give: 'see what broke it',
    };
    return stage.lineFault;
  }
  const finding = await act(session);
  // A restarted agent, or a channel that the next part begins anew.
  if (session.waiting > 0) await session.reopen();
  return finding;
}

/** No request: none has a method that there is. */
const hostileLine = fc
  .oneof(
    fc.json(),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.nat({ max: ping.length - 3 }).map((length) => ping.slice(0, length + 1)),
    fc.json().map((text) => `{"method":${text}}`),
    fc.json().map((text) => `{"method":"release","generation":${JSON.stringify(text)}}`),
  )
  .map((text) => text.replaceAll(/[\n]/g, ' '))
  .filter((text) => text.trim() !== '' && Buffer.byteLength(text) < maxLineOctets);

function generated({ runs, seed }: Settings): Part {
  return {
    claim: 'F6.witness',
    id: 'line/generated',
    sends: `${runs} generated lines that are no request, seed ${seed}`,
    never,
    clause,
    shows: [],
    run: (stage) =>
      onFirst(stage, async (session) => {
        for (const [index, text] of fc.sample(hostileLine, { numRuns: runs, seed }).entries()) {
          const finding = await refusedThenPing(session, `${text}\n`);
          if (!failures.has(finding.outcome)) continue;
          const hex = Buffer.from(text).toString('hex');
          return { ...finding, observed: `line ${index + 1}: ${finding.observed}`, hex };
        }
        return holds(`${runs} lines refused`);
      }),
  };
}

export function lineParts(settings: Settings): Part[] {
  const parts = rows.map(
    ([id, sends, shows, act]): Part => ({
      ...{ claim: 'F6.witness', id: `line/${id}`, sends, never, clause },
      shows: shows === '' ? [] : [shows],
      run: (stage) => onFirst(stage, act),
    }),
  );
  return settings.runs === 0 ? parts : [...parts, generated(settings)];
}
