/**
 * Runs inside a network namespace of its own: random rulesets, random packets, the kernel's trace of each
 * against the evaluator's. Writes one JSON line of figures at the end, and one for each difference.
 */
import { Dice } from '#properties/arbitraries/nft/dice.ts';
import { randomIptables } from '#properties/arbitraries/nft/random-iptables.ts';
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
import {
  assertPrivateNetwork,
  buildNetwork,
  tapEnd,
  topologyOf,
  uplinkEnd,
} from '../providers/netns/test-network.ts';
import { type TraceEvent, TraceListener } from '../providers/netns/trace-listener.ts';
import { linesOfSteps, linesOfTrace, sameLines } from './compare.ts';
import { addIptables, isLossy, listedJson, loadRuleset } from './load-ruleset.ts';
import { beginTable, ownMark } from './watching-tables.ts';

const [hostNamespace = '', packetsText = '', seedText = '', perRulesetText = '', iptablesText = ''] =
  process.argv.slice(2);
/** Of a hundred rulesets, so many get tables of iptables as well. */
const iptablesPercent = Number(iptablesText);
assertPrivateNetwork(hostNamespace);
const wanted = Number(packetsText);
const progressEveryMs = 2_000;
const perRuleset = Number(perRulesetText);
/** Without root the kernel keeps some hundred events for us, not more. */
const sendBurst = 6;
const arrived: TraceEvent[] = [];
const settleTimeoutMs = 5_000;
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
  /** Rulesets that are another one when nft loads what it listed; there JSON proves nothing. */
  lossyListings: 0,
  /** Rulesets at whose listing nft aborts. */
  unlistable: 0,
  events: 0,
};
const reasons = new Map<string, number>();
const shown = new Map<string, number>();

function count(into: Map<string, number>, key: string): void {
  into.set(key, (into.get(key) ?? 0) + 1);
}

/** A frame that begins a trace and is no packet of the test: when it was seen, all before it are done. */
const sentinel = Buffer.concat([
  Buffer.from(tapEnd.mac),
  Buffer.from(uplinkEnd.mac),
  Buffer.from([0x9f, 0xff]),
  Buffer.alloc(46),
]);

function isBegin({ table, type, handle }: TraceEvent): boolean {
  return table === beginTable && type === 'rule' && handle > 0;
}

/** Broadcasts of this host come back to the device, and are traced as well. */
function beginsWith(
  { link, network }: TraceEvent,
  { device, frame }: Pick<RandomPacket, 'device' | 'frame'>,
): boolean {
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
  // A packet of the kernel's own may come between the events of one of ours.
  let interrupted: TraceEvent[] = [];
  const deadline = performance.now() + settleTimeoutMs;
  while (collected.length < expected.length) {
    for (const event of [...arrived.splice(0), ...listener.take()]) {
      figures.events += 1;
      if (isBegin(event)) {
        interrupted = current;
        current = [event];
        const next = expected[collected.length];
        if (next !== undefined && beginsWith(event, next)) collected.push(current);
        continue;
      }
      const goesOn = event.packet !== current[0]?.packet && event.packet === interrupted[0]?.packet;
      (goesOn ? interrupted : current).push(event);
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
  count(shown, key);
  figures[source === 'json' ? 'jsonDifferences' : 'differences'] += 1;
  if (figures.differences + figures.jsonDifferences > maxShown) return;
  const { device, tracked } = packet;
  const frame = packet.frame.toString('hex');
  const rules = [kernel[at], ours[at]].map((line) =>
    rulesNamed.get(line?.split(' ').slice(0, 4).join(' ') ?? ''),
  );
  const entry = {
    difference: figures.differences + figures.jsonDifferences,
    source,
    device,
    frame,
    tracked,
    kernel,
    ours,
    rules,
    ruleset: text,
  };
  process.stdout.write(`${JSON.stringify(entry)}\n`);
}

type Source = 'netlink' | 'json';

/** The evaluator's lines where they differ from the kernel's; else null. */
function judge(
  source: Source,
  decider: Decider,
  packet: RandomPacket,
  kernel: readonly string[],
): string[] | null {
  try {
    const { steps } = decider.decide({
      device: packet.device === null ? null : names[packet.device],
      frame: packet.frame,
      connection: connection(packet),
      ...(packet.device === null ? { mark: ownMark } : {}),
    });
    const ours = linesOfSteps(steps);
    return sameLines(kernel, ours) ? null : ours;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    figures[source === 'json' ? 'jsonNotUnderstood' : 'notUnderstood'] += 1;
    count(reasons, `${source}: ${error.expression}`);
    return null;
  }
}

function tryRuleset(dice: Dice): void {
  const loaded = loadRuleset(randomRuleset(dice, names), [tapEnd.name, uplinkEnd.name]);
  if ('refused' in loaded) {
    figures.refusedRulesets += 1;
    count(reasons, `nft: ${loaded.refused}`);
    return;
  }
  const tables = dice.chance(iptablesPercent) ? randomIptables(dice, names) : null;
  const objection = tables === null ? null : addIptables(tables);
  if (objection !== null) {
    figures.refusedRulesets += 1;
    count(reasons, `iptables: ${objection.split('\n')[0]}`);
    return;
  }
  const text = `${loaded.text}${tables ?? ''}`;
  figures.rulesets += 1;
  const ruleset = readRuleset();
  rulesNamed = nameRules(ruleset);
  const indexOf = (name: string) => deviceNamed(topology, name).index;
  const listing = listedJson(tapEnd.name);
  const listed = listing === null ? null : readJson(listing, { ingressDevices: [], indexOf });
  if (listed === null) figures.unlistable += 1;
  const deciders = {
    netlink: new Decider(ruleset, topology, { limits: true }),
    json: listed === null ? null : new Decider(listed, topology, { limits: true }),
  };
  conntrack.flush();
  const flows = /\bct |conntrack|--state|-j (MASQUERADE|[DS]NAT|CT)/.test(text);
  const drawn = Array.from({ length: perRuleset }, (_, i) => randomPacket(dice, i, flows));
  // Of one device the kernel keeps the order; between devices it need not.
  const sources = ['tap', 'uplink', null] as const;
  const groups = sources.map((source) => drawn.filter(({ device }) => device === source));
  for (const { tracked } of drawn) if ('flow' in tracked) conntrack.add(tracked.flow);
  listener.take();
  arrived.length = 0;
  const doubtful: (() => void)[] = [];
  for (const group of groups) {
    for (const [i, packet] of group.entries()) {
      send(packet);
      if (i % sendBurst === 0) arrived.push(...listener.take());
    }
    for (const [i, events] of traces(group).entries()) {
      figures.packets += 1;
      const kernel = linesOfTrace(events);
      const packet = group[i] as RandomPacket;
      const own = judge('netlink', deciders.netlink, packet, kernel);
      if (own !== null) report('netlink', text, packet, kernel, own);
      const other = deciders.json === null ? null : judge('json', deciders.json, packet, kernel);
      if (other !== null) doubtful.push(() => report('json', text, packet, kernel, other));
    }
  }
  if (doubtful.length === 0) return;
  if (listing === null || isLossy(ruleset, listing)) figures.lossyListings += 1;
  else for (const tell of doubtful) tell();
}

const begin = performance.now();
const dice = new Dice(Number(seedText));
// A killed parent leaves nobody to report to: then this process ends, and its namespace with it.
const parent = process.ppid;
let told = performance.now();
while (figures.packets < wanted && process.ppid === parent) {
  tryRuleset(dice);
  if (performance.now() - told < progressEveryMs) continue;
  told = performance.now();
  process.stdout.write(`${JSON.stringify({ progress: figures.packets })}\n`);
}
const seconds = Math.round((performance.now() - begin) / 100) / 10;
process.stdout.write(
  `${JSON.stringify({ ...figures, seconds, reasons: [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 40), shown: [...shown].sort((a, b) => b[1] - a[1]).slice(0, 40) })}\n`,
);
for (const { close } of Object.values(senders)) close();
listener.close();
conntrack.close();
