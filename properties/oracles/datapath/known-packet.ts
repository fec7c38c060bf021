/** One known packet through a ruleset: as the oracle's Decider, with one diagram for all, since nothing grows in it. */
import { always, type Bdd, Bdds, never } from '../bdd/bdd.ts';
import { numberBits } from '../bdd/bit-vector.ts';
import type { Step } from '../nft/evaluate/chain.ts';
import { parseDatagram, parseFrame } from '../nft/evaluate/frame.ts';
import { type Connection, newConnection } from '../nft/evaluate/packet.ts';
import { type Outcome, Pipeline } from '../nft/evaluate/pipeline.ts';
import { NotUnderstood, type Ruleset } from '../nft/ruleset.ts';
import { deviceNamed, type Topology } from '../nft/topology.ts';

const bdds = new Bdds();

/** A port that the kernel picks from a range, of which the scenes' begins below it and ends above. */
const pickedPort = 25_000;

const choices = {
  bdds,
  either: (name: string): Bdd => {
    // One packet reaches no bound on flows or rate.
    if (name === 'ct count' || name === 'limit') return never;
    throw new NotUnderstood(`${name} of one packet`, 'limits');
  },
  linear: (): Bdd => always,
  unknown: (_name: string, bits: number): Bdd[] => numberBits(pickedPort, bits),
};

export interface Followed {
  readonly outcome: Outcome;
  readonly steps: readonly Step[];
}

/** `device` null: the pod sends it, and `frame` begins with its IP header. */
export function follow(
  ruleset: Ruleset,
  topology: Topology,
  device: string | null,
  frame: Buffer,
  connection: Connection = newConnection(),
): Followed {
  const steps: Step[] = [];
  const pipeline = new Pipeline({
    ruleset,
    topology,
    choices,
    reassemble: false,
    log: (step) => steps.push(step),
  });
  const outcomes =
    device === null
      ? pipeline.send(parseDatagram(frame, connection), always)
      : arrive(pipeline, topology, device, frame, connection);
  const [outcome] = outcomes.filter(({ when }) => when === always);
  if (outcome === undefined || outcomes.length !== 1) {
    throw new NotUnderstood('a choice of the kernel on which the verdict depends', 'this packet');
  }
  return { outcome, steps };
}

function arrive(pipeline: Pipeline, topology: Topology, name: string, frame: Buffer, connection: Connection) {
  const device = deviceNamed(topology, name);
  const { arriving, inside, tags, refused } = parseFrame(frame, device, connection);
  const enters = refused === null && tags.every((identifier) => identifier === 0) ? always : never;
  const refusal = refused ?? 'a VLAN that no device is for';
  return pipeline.arrive({ device, arriving, inside, when: always, enters, refusal });
}
