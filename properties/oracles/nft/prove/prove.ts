/**
 * Answers a question about every packet at once: a counterexample, or that there is none within the
 * assumptions it lists. What is unknown (limits, random numbers, data beyond fixed headers, NAT's choice of
 * ports) goes both ways, so that "holds" errs on the side of finding too much.
 */
import { always, type Bdd, type Bdds } from '../../bdd/bdd.ts';
import { conntrackActive } from '../evaluate/hooks.ts';
import { type Outcome, Pipeline } from '../evaluate/pipeline.ts';
import type { Choices } from '../evaluate/rule-run.ts';
import { NotUnderstood, type Ruleset } from '../ruleset.ts';
import { deviceNamed, type Topology } from '../topology.ts';
import { CodedBdds, Unrecorded } from './classes.ts';
import { type CounterexamplePacket, describe } from './counterexample.ts';
import { type RecordedField, Recording } from './recording.ts';
import { type Shape, shapes, type Unknown, unknownPacket, Variables } from './unknown-packet.ts';

export interface Question {
  readonly ruleset: Ruleset;
  readonly topology: Topology;
  /** Receives the packets; null: this host sends them. */
  readonly device: string | null;
  /** Absent: every kind of frame. */
  readonly shapes?: readonly Shape[];
  /** The packets in question; absent: all. */
  readonly assuming?: Condition;
  /** Where `forbidden` says never of every other outcome: the way of the others need not be followed. */
  readonly only?: 'delivered' | 'left';
  /** Every field keeps all its bits: slower, the same answer. */
  readonly allBits?: true;
  /** The packets that must not be: of an outcome, the ones against the claim. */
  readonly forbidden: (outcome: Outcome, unknown: Unknown, bdds: Bdds) => Bdd;
}

export type Condition = (unknown: Unknown, bdds: Bdds) => Bdd;

export type Answer = {
  readonly assumptions: readonly string[];
  readonly nodes: number;
  readonly shapes: number;
} & (
  | { readonly result: 'holds' }
  | { readonly result: 'refuted'; readonly packet: CounterexamplePacket; readonly outcome: Outcome }
);

class Free implements Choices {
  readonly bdds: Bdds;
  readonly #linear: Bdd;

  constructor(bdds: Bdds) {
    this.bdds = bdds;
    this.#linear = bdds.variable();
  }

  either(): Bdd {
    return this.bdds.variable();
  }

  /** One packet, one answer. */
  linear(): Bdd {
    return this.#linear;
  }

  unknown(_name: string, bits: number): Bdd[] {
    return Array.from({ length: bits }, () => this.bdds.variable());
  }
}

/** Throws NotUnderstood where some packet in question reaches what this oracle does not understand. */
export function prove(question: Question): Answer {
  const asked = (question.shapes ?? shapes).filter((shape) => matters(question, shape));
  const base = { assumptions: assumptionsOf(question), shapes: asked.length };
  let nodes = 0;
  for (const shape of asked) {
    const { found, bdds } = search(question, shape);
    nodes += bdds.nodes;
    if (found !== null) return { ...base, result: 'refuted', ...found, nodes };
  }
  return { ...base, result: 'holds', nodes };
}

function search(question: Question, shape: Shape) {
  const recorded = question.allBits === true ? null : questionsAsked(question, shape);
  try {
    const bdds = new CodedBdds();
    return { bdds, found: counterexample(question, shape, new Variables(bdds, recorded)) };
  } catch (error) {
    if (!(error instanceof Unrecorded)) throw error;
    const bdds = new CodedBdds();
    return { bdds, found: counterexample(question, shape, new Variables(bdds, null)) };
  }
}

/** What a run asks of each field; null: it cannot be known, and every field keeps its bits. */
function questionsAsked(question: Question, shape: Shape): ReadonlyMap<string, RecordedField> | null {
  const recording = new Recording();
  try {
    const { unknown, outcomes } = run(question, shape, new Variables(recording, null));
    for (const outcome of outcomes) question.forbidden(outcome, unknown, recording);
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
  return recording.fields;
}

function run(question: Question, shape: Shape, variables: Variables) {
  const { ruleset, topology, device } = question;
  const { bdds } = variables;
  const choices = new Free(bdds);
  const unknown = unknownPacket(variables, shape, deviceOf(topology, device));
  const when = bdds.and(unknown.valid, question.assuming?.(unknown, bdds) ?? always);
  const pipeline = new Pipeline({ ruleset, topology, choices, reassemble: true, ...onlyOf(question) });
  return { unknown, outcomes: follow(pipeline, unknown, when, question) };
}

function onlyOf({ only }: Question): Pick<Question, 'only'> {
  return only === undefined ? {} : { only };
}

function counterexample(question: Question, shape: Shape, variables: Variables) {
  const { bdds } = variables;
  const { unknown, outcomes } = run(question, shape, variables);
  for (const outcome of outcomes) {
    const against = bdds.and(outcome.when, question.forbidden(outcome, unknown, bdds));
    // The plainest packet first: of what it does, nothing is left to the unknown.
    const whole = bdds.and(against, unknown.parts.fragmented ^ 1);
    const found = [bdds.and(whole, unknown.parts.plain), whole, against]
      .map((candidates) => bdds.satisfy(candidates))
      .find((one) => one !== null);
    if (found !== undefined) return { packet: describe(bdds, question, unknown, outcome, found), outcome };
  }
  return null;
}

/** Without an ingress chain a frame with tags ends as the same one without, or not at all. */
function matters({ ruleset, device }: Question, { family, tags }: Shape): boolean {
  if (device === null) return tags === 0 && (family === 4 || family === 6);
  return tags === 0 || hasIngress(ruleset, device);
}

function hasIngress(ruleset: Ruleset, device: string): boolean {
  return ruleset.tables.some(({ chains }) =>
    [...chains.values()].some(({ base }) => base?.hook === 'ingress' && base.devices.includes(device)),
  );
}

function deviceOf(topology: Topology, device: string | null) {
  if (device !== null) return deviceNamed(topology, device);
  return { name: '', index: 0, hardware: 1, mac: [0, 0, 0, 0, 0, 0], addresses: [] };
}

function follow(pipeline: Pipeline, unknown: Unknown, when: Bdd, { device, topology }: Question): Outcome[] {
  if (device === null) return pipeline.send({ ...unknown.inside, link: null }, when);
  return pipeline.arrive({
    device: deviceNamed(topology, device),
    arriving: unknown.arriving,
    inside: unknown.inside,
    when,
    enters: unknown.untagged,
    refusal: 'a VLAN that no device is for',
  });
}

function assumptionsOf({ ruleset, topology, device }: Question): string[] {
  const tracked = conntrackActive(ruleset, 4) || conntrackActive(ruleset, 6);
  return [
    'sets hold what they held when the ruleset was read',
    'limits, quotas and connection counts pass or not, whatever came before',
    'malformed IP headers, frames with more than two VLAN tags and VLANs without a device never reach the IP layer',
    ...(tracked
      ? ['a packet is new, established, related or invalid to conntrack, in any direction and translation']
      : ['no rule asks for connection tracking, so there is none']),
    'NAT keeps a port unless its rule names others',
    'reverse-path filters are off, source routing is refused',
    `forwarding is ${topology.forwarding.ipv4 ? 'on' : 'off'} for IPv4, ${topology.forwarding.ipv6 ? 'on' : 'off'} for IPv6`,
    ...(device === null ? ['a packet of this host begins without a mark'] : []),
  ];
}
