/**
 * What the F4 claims have in common at tier decision: an attack meets the rules that a subject made, the
 * evaluator says what comes of it, the invariants say whether that may be.
 */
import type { Attack } from '../arbitraries/datapath-attacks.ts';
import { honestLink } from '../arbitraries/datapath-attacks.ts';
import type { FlowBeginning } from '../arbitraries/sandbox-addresses.ts';
import { neighbour, type Scene, uplink } from '../arbitraries/sandbox-scenes.ts';
import { endOf, standing } from '../models/datapath-life.ts';
import { isIpv6, octetsOf, type Packet, type Port, textOf } from '../models/datapath-packet.ts';
import { type Moment, rulesetOf, topologyOf } from '../models/datapath-world.ts';
import { laterIn, sideOf } from '../oracles/datapath/flow.ts';
import {
  type Broken,
  effectOf,
  type FlowFacts,
  fromTap,
  type Situation,
  towardsTap,
} from '../oracles/datapath/invariants.ts';
import { type Followed, follow } from '../oracles/datapath/known-packet.ts';
import { mayLeave } from '../oracles/datapath/policy.ts';
import { connectionOf } from '../oracles/nft/connection.ts';
import type { Connection, Tracked } from '../oracles/nft/evaluate/packet.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';

export interface Met {
  readonly packet: Packet;
  readonly state: string;
  readonly followed: Followed;
  readonly flow: FlowFacts | null;
  readonly moment: Moment;
}

const fromUplink = { to: uplink.mac, from: neighbour.mac, tags: [] };
const guestTap = (at: 0 | 1): Port => (at === 0 ? 'tap0' : 'tap1');
const linkOf = (scene: Scene, port: Port | null) =>
  port === 'tap0' ? honestLink(scene, 0) : port === 'tap1' ? honestLink(scene, 1) : fromUplink;

export function situationOf(scene: Scene, moment: Moment): Situation {
  const standingNow = [...moment.standing].map(([tap, { sandbox, policies, pinned }]) => {
    const pins = pinned ? sandbox.pins : [];
    return [tap, { network: sandbox.network, policies, pins }] as const;
  });
  const taps = scene.sandboxes.map(({ network }) => network.tap);
  return { pod: scene.pod, standing: new Map(standingNow), taps };
}

export function send(scene: Scene, moment: Moment, packet: Packet, connection?: Connection): Followed {
  return follow(
    rulesetOf(moment, scene),
    topologyOf(scene),
    packet.port,
    octetsOf(packet),
    connection ?? connectionOf({ state: 'new' }),
  );
}

const ephemeral = 20_777;

/** The packet that begins the flow. */
export function firstPacket(scene: Scene, { by, protocol, destination, port }: FlowBeginning): Packet {
  const six = isIpv6(destination);
  const ports = { sport: ephemeral, dport: port };
  const body =
    protocol === 'tcp'
      ? ({ kind: 'tcp', ...ports, flags: 2 } as const)
      : ({ kind: 'udp', ...ports } as const);
  const at = by === 0 || by === 1 ? guestTap(by) : by === 'pod' ? null : 'eth0';
  const guest = by === 0 || by === 1 ? scene.sandboxes[by].network : null;
  const guestSource = six ? (guest?.ipv6?.guest ?? 'fe80::2') : guest?.ipv4.guest;
  const source = guestSource ?? (by === 'pod' ? (six ? uplink.ipv6 : uplink.ipv4) : neighbour.ipv4);
  return { port: at, link: linkOf(scene, at), content: { kind: 'ip', source, destination, hops: 64, body } };
}

const begun = new WeakMap<Moment, Map<string, Tracked | null>>();

/** What conntrack holds once the flow's first packet passed; null: it does not pass. */
function begin(scene: Scene, moment: Moment, flow: FlowBeginning): Tracked | null {
  const known = begun.get(moment) ?? new Map<string, Tracked | null>();
  begun.set(moment, known);
  const key = `${scene.index} ${flow.by} ${flow.protocol} ${flow.destination} ${flow.port}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = beginAnew(scene, moment, flow);
  known.set(key, made);
  return made;
}

function beginAnew(scene: Scene, moment: Moment, flow: FlowBeginning): Tracked | null {
  const packet = firstPacket(scene, flow);
  if ((packet.port === 'tap0' || packet.port === 'tap1') && !moment.up.has(packet.port)) return null;
  const { outcome } = send(scene, moment, packet);
  return outcome.kind === 'left' || outcome.kind === 'delivered' ? outcome.packet.tracked : null;
}

function flowFacts(
  scene: Scene,
  now: Moment,
  flow: FlowBeginning,
  tracked: Tracked,
): Pick<FlowFacts, 'tap' | 'admitted'> {
  const situation = situationOf(scene, now);
  const { by, protocol, destination, port } = flow;
  if (by === 'pod') return { tap: null, admitted: false };
  if (by === 'neighbour') {
    const inside = sideOf(tracked, 'reply').source;
    const at = scene.sandboxes.find(({ network }) => network.ipv4.guest === inside);
    if (at === undefined) return { tap: null, admitted: false };
    const policies = situation.standing.get(at.network.tap)?.policies ?? [];
    const opened = policies.flatMap(({ inbound }) => inbound);
    const admitted = opened.some((one) => one.protocol === protocol && one.podPort === port);
    return { tap: at.network.tap, admitted };
  }
  const tap = guestTap(by);
  const sandbox = situation.standing.get(tap);
  if (sandbox === undefined) return { tap, admitted: false };
  const own = isIpv6(destination) ? sandbox.network.ipv6 : sandbox.network.ipv4;
  const sent = { destination, protocol: protocol === 'tcp' ? 6 : 17, port, echo: false };
  const allowed = sandbox.policies.some((policy) => mayLeave(scene.pod, policy, sandbox.pins, sent).allowed);
  return { tap, admitted: allowed || (destination === own?.resolver && port === 53) };
}

/** ICMPv6 has other numbers for the same errors. */
const errorsOfIpv6: Readonly<Record<number, number>> = { 3: 1, 5: 137, 11: 3 };

/** Where a packet of that side comes in when nobody forges it. */
function naturalPort(scene: Scene, source: string): Port | null {
  const at = scene.sandboxes.findIndex(({ network }) =>
    [network.ipv4.guest, network.ipv6?.guest].includes(source),
  );
  if (at >= 0) return guestTap(at as 0 | 1);
  const own = topologyOf(scene).devices.flatMap(({ addresses }) =>
    addresses.map((text) => text.split('/')[0]),
  );
  return own.includes(source) ? null : 'eth0';
}

/** The attack at `now`; the flow that it belongs to was begun at `then`. */
export function meet(scene: Scene, then: Moment, now: Moment, attack: Attack): Met | null {
  if (attack.kind === 'first') {
    if (isDown(now, attack.packet.port)) return null;
    const followed = send(scene, now, attack.packet, connectionOf({ state: attack.state }));
    return { packet: attack.packet, state: attack.state, followed, flow: null, moment: now };
  }
  const tracked = begin(scene, then, attack.flow);
  if (tracked === null) return midstream(scene, now, attack.flow);
  const { direction, error } = attack;
  const side = sideOf(tracked, direction);
  const port = attack.port ?? naturalPort(scene, side.source);
  if (isDown(now, port)) return null;
  const ports = { sport: side.sourcePort, dport: side.destinationPort };
  const type = error === null ? 0 : isIpv6(side.source) ? (errorsOfIpv6[error] ?? 1) : error;
  const flags = 0x10;
  const body =
    error !== null
      ? ({ kind: 'icmp', type, code: 1, id: 0 } as const)
      : attack.flow.protocol === 'tcp'
        ? ({ kind: 'tcp', ...ports, flags } as const)
        : ({ kind: 'udp', ...ports } as const);
  const { source, destination } = side;
  const content = { kind: 'ip', source, destination, hops: 64, body } as const;
  const packet: Packet = { port, link: linkOf(scene, port), content };
  const as = error === null ? 'established' : 'related';
  const followed = send(scene, now, packet, laterIn(tracked, direction, as));
  const flow = { ...flowFacts(scene, now, attack.flow, tracked), direction, error: error !== null };
  return { packet, state: `${as}, ${direction} direction`, followed, flow, moment: now };
}

/** Nothing began the flow: a segment from its middle comes all the same. */
function midstream(scene: Scene, now: Moment, flow: FlowBeginning): Met | null {
  const packet = firstPacket(scene, flow);
  const { content } = packet;
  if (isDown(now, packet.port) || content.kind !== 'ip' || content.body.kind !== 'tcp') return null;
  const late: Packet = { ...packet, content: { ...content, body: { ...content.body, flags: 0x10 } } };
  const followed = send(scene, now, late);
  return { packet: late, state: 'new', followed, flow: null, moment: now };
}

const isDown = ({ up }: Moment, port: Port | null) => (port === 'tap0' || port === 'tap1') && !up.has(port);

/** Invariants 1 to 5 and 7. */
export function objectionTo(
  scene: Scene,
  { packet, followed: { outcome }, flow, moment }: Met,
): Broken | null {
  const effect = effectOf(outcome);
  if (effect === null) return null;
  const situation = situationOf(scene, moment);
  if (packet.port !== null && packet.port !== 'eth0') {
    return fromTap(situation, packet.port, packet, outcome, flow);
  }
  const tap = outcome.kind === 'left' ? outcome.device?.name : undefined;
  // A tap that is down, or gone, takes nothing.
  if (tap === undefined || !moment.up.has(tap)) return null;
  return tap === 'tap0' || tap === 'tap1' ? towardsTap(situation, tap, packet, flow) : null;
}

/** The rule that had the last word, as the subject wrote it. */
export function lastWord({ followed, moment }: Met): string {
  const last = followed.steps.findLast(({ verdict, rule }) => verdict.code !== 'continue' || rule === null);
  if (last === undefined)
    return followed.outcome.reason === '' ? 'no rule looks at it' : followed.outcome.reason;
  if (last.rule === null) return `policy of ${last.chain}`;
  const { table, chain, rule, verdict } = last;
  const stored = moment.nft.tables.get(`${table.family} ${table.name}`)?.chains.get(chain);
  const comment = stored?.rules.find(({ handle }) => handle === rule.handle)?.comment ?? null;
  return `${chain}: ${comment ?? `rule ${(stored?.rules.findIndex(({ handle }) => handle === rule.handle) ?? 0) + 1}`} → ${verdict.code}`;
}

export function verdictText(met: Met): string {
  const { outcome } = met.followed;
  const effect = effectOf(outcome);
  const words = effect ?? (outcome.kind === 'dropped' ? 'dropped' : `${outcome.kind}: ${outcome.reason}`);
  return `${words}  [${lastWord(met)}]`;
}

export function violationOf(scene: Scene, met: Met | null): Violation | null {
  if (met === null) return null;
  const found = objectionTo(scene, met);
  if (found === null) return null;
  return {
    observed: `${textOf(met.packet)} (conntrack: ${met.state}): ${effectOf(met.followed.outcome)}`,
    observedRule: lastWord(met),
    required: found.required,
    requiredRule: found.rule,
  };
}

export function metText(met: Met | null): string {
  if (met === null) return 'no such packet comes: the tap is down, or nothing began the flow';
  return `${textOf(met.packet)}\nconntrack: ${met.state}\n${verdictText(met)}`;
}

function flowText({ by, protocol, destination, port }: FlowBeginning): string {
  const who = by === 'pod' ? 'the pod' : by === 'neighbour' ? 'a neighbour' : `the guest of tap${by}`;
  return `the flow of ${who} to ${protocol} ${destination} ${port}`;
}

export function attackText(scene: Scene, attack: Attack): string {
  const about = sceneText(scene);
  if (attack.kind === 'first') return `${textOf(attack.packet)} (conntrack: ${attack.state})\n${about}`;
  const { flow, direction, error, port } = attack;
  const what = error === null ? 'a packet' : `an ICMP error of type ${error}`;
  const where = port === null ? 'from where it belongs' : `on ${port}`;
  return `${what} in ${direction} direction of ${flowText(flow)}, ${where}\n${about}`;
}

export function sceneText({ index, ipv6, pod, sandboxes }: Scene): string {
  const lines = sandboxes.map(({ network: { tap, ipv4 }, policy, pins }) => {
    const inbound = policy.inbound.map(
      ({ protocol, podPort, from }) => `${protocol} ${podPort} from ${from}`,
    );
    const parts = [`egress ${policy.egress}`, `allow ${policy.allow.join(' ') || 'nothing'}`];
    if (inbound.length > 0) parts.push(`inbound ${inbound.join(', ')}`);
    if (pins.length > 0)
      parts.push(`pinned ${pins.map(({ address, port }) => `${address} ${port}`).join(', ')}`);
    return `${tap}, guest ${ipv4.guest}: ${parts.join('; ')}`;
  });
  const deny = pod.denyCIDRs.length === 0 ? '' : `; denied ${pod.denyCIDRs.join(' ')}`;
  return [`scene ${index}, IPv6 ${ipv6 ? 'on' : 'off'}${deny}`, ...lines].join('\n');
}

/** The path is open: the guest reaches its resolver, a place that is allowed, and hears the answers. */
export function pathIsOpen(subject: Subject, scene: Scene): string | null {
  const now = endOf(subject, scene, standing);
  const [{ network }] = scene.sandboxes;
  const flows: FlowBeginning[] = [
    { by: 0, protocol: 'udp', destination: network.ipv4.resolver, port: 53 },
    { by: 0, protocol: 'tcp', destination: '1.1.1.1', port: 8443 },
  ];
  for (const flow of flows) {
    if (begin(scene, now, flow) === null) return `${flowText(flow)} is closed`;
    const reply = { kind: 'later', flow, direction: 'reply', error: null, port: null } as const;
    const back = meet(scene, now, now, reply)?.followed.outcome;
    if (back?.kind !== 'left' || back.device?.name !== 'tap0')
      return `replies to ${flowText(flow)} do not arrive`;
  }
  return null;
}
