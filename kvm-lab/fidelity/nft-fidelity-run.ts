/**
 * Runs inside a network namespace of its own: random rulesets, random packets, the kernel's trace of each
 * against the evaluator's. Writes one JSON line of figures at the end, and one for each difference.
 */
import { execFileSync } from 'node:child_process';
import { Dice } from '#properties/arbitraries/nft/dice.ts';
import { type RandomPacket, randomPacket } from '#properties/arbitraries/nft/random-packet.ts';
import { randomRuleset } from '#properties/arbitraries/nft/random-ruleset.ts';
import { connectionOf } from '#properties/oracles/nft/connection.ts';
import { Decider } from '#properties/oracles/nft/decide.ts';
import { readJson } from '#properties/oracles/nft/json/read-json.ts';
import { readRuleset } from '#properties/oracles/nft/netlink/read-ruleset.ts';
import { NotUnderstood, type Ruleset } from '#properties/oracles/nft/ruleset.ts';
import { deviceNamed } from '#properties/oracles/nft/topology.ts';
import { ConntrackTable } from '../providers/netns/conntrack-table.ts';
import { datagramSender, linkSender } from '../providers/netns/packet-sender.ts';
import { assertPrivateNetwork, buildNetwork, tapEnd, topologyOf, uplinkEnd } from '../providers/netns/test-network.ts';
import { type TraceEvent, TraceListener } from '../providers/netns/trace-listener.ts';
import { linesOfSteps, linesOfTrace, sameLines } from './compare.ts';
import { beginTable, ownMark, watchingTables } from './watching-tables.ts';

const [hostNamespace = '', packetsText = '', seedText = '', perRulesetText = ''] = process.argv.slice(2);
assertPrivateNetwork(hostNamespace);
const wanted = Number(packetsText);
const perRuleset = Number(perRulesetText);
const commandTimeoutMs = 20_000;
const settleTimeoutMs = 5_000;
const maxRepairs = 8;
const maxShown = 20;

const ends = [tapEnd, uplinkEnd];
buildNetwork(ends);
const topology = topologyOf(ends);
const listener = new TraceListener();
const conntrack = new ConntrackTable();
const senders = {
  tap: linkSender(tapEnd.far),
  uplink: linkSender(uplinkEnd.far),
  own: datagramSender(ownMark),
};
const names = { tap: tapEnd.name, uplink: uplinkEnd.name } as const;

const figures = {
  packets: 0,
  rulesets: 0,
  refusedRulesets: 0,
  /** The evaluator, from the netlink dump, against the kernel. */
  differences: 0,
  notUnderstood: 0,
  /** The same from `nft -j list ruleset`. */
  jsonDifferences: 0,
  jsonNotUnderstood: 0,
  events: 0,
};
const reasons = new Map<string, number>();
const shown = new Map<string, number>();

/**
 * Loads the ruleset, without the rules that nft refuses (they ask for two protocols at once). null: it
 * refuses more than that.
 */
function load(text: string): string | null {
  const head = `flush ruleset\n${watchingTables([tapEnd.name, uplinkEnd.name])}\n`;
  let lines = `${head}${text}\n`.split('\n');
  for (let tries = 0; tries < maxRepairs; tries += 1) {
    const refused = refusal(lines.join('\n'));
    if (refused === null) return lines.slice(head.split('\n').length - 1).join('\n');
    const at = new Set([...refused.matchAll(/stdin:(\d+):\S+ Error: (?:conflicting|cannot use|Can't parse)/g)].map(([, line]) => Number(line)));
    if (at.size === 0) {
      const reason = `nft: ${refused.split('\n').slice(0, 3).join(' | ')}`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      return null;
    }
    lines = lines.filter((_, i) => !at.has(i + 1));
  }
  return null;
}

/** What nft says against it; null: it is loaded. */
function refusal(text: string): string | null {
  try {
    execFileSync('nft', ['-f', '-'], { input: text, timeout: commandTimeoutMs, stdio: ['pipe', 'pipe', 'pipe'] });
    return null;
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  }
}

/** A frame that begins a trace and is no packet of the test: when it was seen, all before it are done. */
const sentinel = Buffer.concat([Buffer.from(tapEnd.mac), Buffer.from(uplinkEnd.mac), Buffer.from([0x9f, 0xff]), Buffer.alloc(46)]);

function isBegin({ table, type, handle }: TraceEvent): boolean {
  return table === beginTable && type === 'rule' && handle > 0;
}

/** Broadcasts of this host come back to the device, and are traced as well. */
function beginsWith({ link, network }: TraceEvent, { device, frame }: Pick<RandomPacket, 'device' | 'frame'>): boolean {
  if (device === null) return network !== null && frame.subarray(0, 12).equals(network.subarray(0, 12));
  if (link === null || !frame.subarray(0, 12).equals(link.subarray(0, 12))) return false;
  return network === null || frame.includes(network);
}

/** The events of each packet, in the order in which they were sent. */
function traces(group: readonly RandomPacket[]): TraceEvent[][] {
  const last = { device: group[0]?.device === 'uplink' ? 'uplink' : 'tap', frame: sentinel } as const;
  senders[last.device].send(sentinel);
  const expected = [...group, last];
  const collected: TraceEvent[][] = [];
  let current: TraceEvent[] = [];
  const deadline = performance.now() + settleTimeoutMs;
  while (collected.length < expected.length) {
    for (const event of listener.take()) {
      figures.events += 1;
      if (isBegin(event)) {
        current = [];
        const next = expected[collected.length];
        if (next !== undefined && beginsWith(event, next)) collected.push(current);
      }
      current.push(event);
    }
    if (performance.now() > deadline) {
      const lost = expected[collected.length]?.frame.toString('hex');
      throw new Error(`${collected.length} of ${expected.length} packets began a trace, not ${lost}`);
    }
  }
  return collected.slice(0, group.length);
}

function send(packet: RandomPacket): void {
  if (packet.device === null) senders.own.send(packet.frame);
  else senders[packet.device].send(packet.frame);
}

function connection({ tracked }: RandomPacket) {
  if (!('flow' in tracked)) return connectionOf({ state: tracked.state });
  const { flow, reply, state } = tracked;
  const { source, destination, sourcePort, destinationPort, protocol } = flow;
  return connectionOf({
    state,
    reply,
    mark: flow.mark,
    assured: flow.assured,
    original: { source, destination, sourcePort, destinationPort, protocol },
    replies: {
      source: destination,
      destination: flow.translatedTo ?? source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
      protocol,
    },
  });
}

/** By `table chain rule handle`. */
let rulesNamed = new Map<string, unknown>();

function nameRules(ruleset: Ruleset): Map<string, unknown> {
  const named = new Map<string, unknown>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains.values()) {
      for (const rule of chain.rules) {
        named.set(`${table.name} ${chain.name} rule ${rule.handle}`, rule.expressions);
      }
    }
  }
  return named;
}

function report(source: Source, text: string, packet: RandomPacket, kernel: string[], ours: string[]): void {
  const differing = kernel.findIndex((line, i) => line !== ours[i]);
  const at = differing < 0 ? kernel.length : differing;
  const key = `${source}: ${kernel[at] ?? 'nothing'} / ${ours[at] ?? 'nothing'}`;
  shown.set(key, (shown.get(key) ?? 0) + 1);
  if (figures.differences + figures.jsonDifferences > maxShown) return;
  const { device, tracked } = packet;
  const frame = packet.frame.toString('hex');
  const rules = [kernel[at], ours[at]].map((line) => rulesNamed.get(line?.split(' ').slice(0, 4).join(' ') ?? ''));
  const entry = { difference: figures.differences + figures.jsonDifferences, source, device, frame, tracked, kernel, ours, rules, ruleset: text };
  process.stdout.write(`${JSON.stringify(entry)}\n`);
}

type Source = 'netlink' | 'json';

function judge(source: Source, text: string, decider: Decider, packet: RandomPacket, kernel: string[]): void {
  try {
    const { steps } = decider.decide({
      device: packet.device === null ? null : names[packet.device],
      frame: packet.frame,
      connection: connection(packet),
      ...(packet.device === null ? { mark: ownMark } : {}),
    });
    const ours = linesOfSteps(steps);
    if (sameLines(kernel, ours)) return;
    if (source === 'json') figures.jsonDifferences += 1;
    else figures.differences += 1;
    report(source, text, packet, kernel, ours);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    if (source === 'json') figures.jsonNotUnderstood += 1;
    else figures.notUnderstood += 1;
    const reason = `${source}: ${error.expression}`;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
}

/** As newer versions of nft write it: with the devices, which 1.0.6 leaves out. */
function listedJson(): string {
  const text = execFileSync('nft', ['-j', 'list', 'ruleset'], { encoding: 'utf8', timeout: commandTimeoutMs });
  const listed = JSON.parse(text) as { nftables: { chain?: { hook?: string; table: string; name: string; dev?: string } }[] };
  for (const { chain } of listed.nftables) {
    if (chain?.hook !== 'ingress') continue;
    chain.dev = chain.table === beginTable ? chain.name : tapEnd.name;
  }
  return JSON.stringify(listed);
}

function tryRuleset(dice: Dice): void {
  const text = load(randomRuleset(dice, names));
  if (text === null) {
    figures.refusedRulesets += 1;
    return;
  }
  figures.rulesets += 1;
  const ruleset = readRuleset();
  rulesNamed = nameRules(ruleset);
  const indexOf = (name: string) => deviceNamed(topology, name).index;
  const listed = readJson(listedJson(), { ingressDevices: [], indexOf });
  const deciders = { netlink: new Decider(ruleset, topology, { limits: true }), json: new Decider(listed, topology, { limits: true }) };
  conntrack.flush();
  const flows = text.includes('ct ');
  const drawn = Array.from({ length: perRuleset }, (_, i) => randomPacket(dice, i, flows));
  // Of one device the kernel keeps the order; between devices it need not.
  const sources = ['tap', 'uplink', null] as const;
  const groups = sources.map((source) => drawn.filter(({ device }) => device === source));
  for (const { tracked } of drawn) if ('flow' in tracked) conntrack.add(tracked.flow);
  listener.take();
  for (const group of groups) {
    for (const packet of group) send(packet);
    for (const [i, events] of traces(group).entries()) {
      figures.packets += 1;
      const kernel = linesOfTrace(events);
      judge('netlink', text, deciders.netlink, group[i] as RandomPacket, kernel);
      judge('json', text, deciders.json, group[i] as RandomPacket, kernel);
    }
  }
}

const begin = performance.now();
const dice = new Dice(Number(seedText));
while (figures.packets < wanted && figures.differences < 2_000) tryRuleset(dice);
const seconds = Math.round((performance.now() - begin) / 100) / 10;
process.stdout.write(
  `${JSON.stringify({ ...figures, seconds, reasons: [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 40), shown: [...shown].sort((a, b) => b[1] - a[1]).slice(0, 40) })}\n`,
);
for (const { close } of Object.values(senders)) close();
listener.close();
conntrack.close();
