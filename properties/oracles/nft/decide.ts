/** Decides one known packet: its outcome, and each rule that matched on its way. */
import { always, type Bdd, Bdds, never } from '../bdd/bdd.ts';
import { numberBits } from '../bdd/bit-vector.ts';
import type { Step } from './evaluate/chain.ts';
import { parseDatagram, parseFrame } from './evaluate/frame.ts';
import { type Connection, newConnection, type Packet } from './evaluate/packet.ts';
import { type Arrival, type Outcome, Pipeline } from './evaluate/pipeline.ts';
import type { Choices } from './evaluate/rule-run.ts';
import { NotUnderstood, type Ruleset } from './ruleset.ts';
import { deviceNamed, type Topology } from './topology.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly steps: readonly Step[];
}

export interface KnownPacket {
  /** The device that receives `frame`; null: this host sends it, and it begins with its IP header. */
  readonly device: string | null;
  readonly frame: Buffer;
  /** Absent: the first packet of a flow. */
  readonly connection?: Connection;
  /** Of a packet of this host: the mark of its socket. */
  readonly mark?: number;
}

export interface DecideOptions {
  /** Whether a limit, quota or connection count lets the packet through. Absent: such a rule has no verdict. */
  readonly limits?: boolean;
}

class Fixed implements Choices {
  readonly bdds: Bdds;
  readonly #limits: boolean | undefined;

  constructor(bdds: Bdds, limits: boolean | undefined) {
    this.bdds = bdds;
    this.#limits = limits;
  }

  either(name: string): Bdd {
    if (this.#limits === undefined) throw new NotUnderstood(`${name} of one packet`, 'limits');
    return this.#limits ? always : never;
  }

  /** As packets do that fit in a page. */
  linear(): Bdd {
    return always;
  }

  unknown(_name: string, bits: number): Bdd[] {
    return Array.from({ length: bits }, () => this.bdds.variable());
  }
}

/** For a ruleset that decides many packets: nothing in it grows. */
export class Decider {
  readonly #bdds = new Bdds();
  readonly #ruleset: Ruleset;
  readonly #topology: Topology;
  readonly #options: DecideOptions;

  constructor(ruleset: Ruleset, topology: Topology, options: DecideOptions = {}) {
    this.#ruleset = ruleset;
    this.#topology = topology;
    this.#options = options;
  }

  /** Throws NotUnderstood where the packet reaches what this oracle does not understand. */
  decide(known: KnownPacket): Decision {
    const steps: Step[] = [];
    const pipeline = new Pipeline({
      ruleset: this.#ruleset,
      topology: this.#topology,
      choices: new Fixed(this.#bdds, this.#options.limits),
      reassemble: false,
      log: (step) => steps.push(step),
    });
    const connection = known.connection ?? newConnection();
    const outcomes =
      known.device === null
        ? pipeline.send(this.#datagram(known, connection), always)
        : pipeline.arrive(this.#arrival(known.frame, known.device, connection));
    const certain = outcomes.filter(({ when }) => when === always);
    if (certain.length !== 1 || outcomes.length !== 1) {
      throw new NotUnderstood('a choice of the kernel on which the verdict depends', 'this packet');
    }
    return { outcome: certain[0] as Outcome, steps };
  }

  #datagram({ frame, mark }: KnownPacket, connection: Connection): Packet {
    return { ...parseDatagram(frame, connection), mark: numberBits(mark ?? 0, 32) };
  }

  #arrival(frame: Buffer, name: string, connection: Connection): Arrival {
    const device = deviceNamed(this.#topology, name);
    const { arriving, inside, tags, refused } = parseFrame(frame, device, connection);
    const tagged = tags.some((identifier) => identifier !== 0);
    return {
      device,
      arriving,
      inside,
      when: always,
      enters: refused === null && !tagged ? always : never,
      refusal: refused ?? 'a VLAN that no device is for',
    };
  }
}
