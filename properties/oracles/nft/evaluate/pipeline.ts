/**
 * A packet's way through netfilter: ingress, prerouting, routing, input or forward, output, postrouting,
 * over all tables that see it, in the order of priorities. Each unknown packet gets exactly one outcome.
 */
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { addBits, equalBits, iteBits, numberBits } from '../../bdd/bit-vector.ts';
import type { Ruleset } from '../ruleset.ts';
import { NotUnderstood } from '../ruleset.ts';
import type { Device, Topology } from '../topology.ts';
import type { Step } from './chain.ts';
import { visitBaseChain } from './chain.ts';
import { track } from './ct.ts';
import { chainsAt, conntrackActive, type HookedChain, natHooksActive } from './hooks.ts';
import { asksChains, finishSide, sideOf, translateKnown } from './nat.ts';
import { copyPacket, HeaderBits, type Packet } from './packet.ts';
import { refusedByIpv6, routeInput, routeOutput } from './routing.ts';
import type { Choices, HookContext, HookPoint } from './rule-run.ts';

export type OutcomeKind =
  /** Handed to this host's sockets, or answered by its kernel. */
  | 'delivered'
  /** Sent out by `device`. */
  | 'left'
  /** By a rule or a policy. */
  | 'dropped'
  | 'queued'
  /** By the kernel itself, with a reason. */
  | 'refused'
  /** A fragment, kept until the others come. */
  | 'held'
  /** Not IP: handed to ARP or nobody. */
  | 'other';

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly when: Bdd;
  /** As it is there: translated, with its mark. */
  readonly packet: Packet;
  readonly hook: HookPoint | null;
  readonly device: Device | null;
  readonly reason: string;
}

export interface Arrival {
  readonly device: Device;
  readonly arriving: Packet;
  readonly inside: Packet;
  /** The packets in question. */
  readonly when: Bdd;
  /** Of those, the ones that the IP layer takes; a VLAN tag with an identifier keeps a packet out. */
  readonly enters: Bdd;
  readonly refusal: string;
}

export interface PipelineOptions {
  readonly ruleset: Ruleset;
  readonly topology: Topology;
  readonly choices: Choices;
  /** Fragments go on as the datagram that they make, with unknown data; else they are held. */
  readonly reassemble: boolean;
  /** What is asked about; packets that go the other way after routing are not followed. Absent: both. */
  readonly only?: 'delivered' | 'left';
  readonly log?: (step: Step) => void;
}

const defragmentation = -400;
const connectionTracking = -200;
const natPriority = { destination: -100, source: 100 } as const;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #bdds: Bdds;
  readonly #outcomes: Outcome[] = [];

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#bdds = options.choices.bdds;
  }

  /** A frame that a device received. */
  arrive({ device, arriving, inside, when, enters, refusal }: Arrival): Outcome[] {
    const bdds = this.#bdds;
    const first = copyPacket(arriving);
    const passed = this.#visitAll('ingress', first, when, { input: device, output: null });
    const packet = copyPacket(inside);
    packet.mark = first.mark;
    packet.packetType = first.packetType;
    this.#end('refused', bdds.and(passed, enters ^ 1), packet, null, null, refusal);
    const taken = bdds.and(passed, enters);
    const elsewhere = equalBits(bdds, packet.packetType, numberBits(3, 8));
    this.#end('refused', bdds.and(taken, elsewhere), packet, null, null, 'sent to another host on the link');
    const ours = bdds.and(taken, elsewhere ^ 1);
    if (packet.family === 4 || packet.family === 6) this.#prerouting(packet, ours, device);
    else this.#otherThanIp(packet, ours, device);
    return this.#outcomes;
  }

  /** A datagram that this host sends. */
  send(packet: Packet, when: Bdd): Outcome[] {
    const bdds = this.#bdds;
    let rest = when;
    for (const [device, towards] of routeOutput(bdds, this.#options.topology, packet)) {
      const going = bdds.and(when, towards);
      rest = bdds.and(rest, towards ^ 1);
      if (going === never) continue;
      const own = copyPacket(packet);
      const passed = this.#visitAll('output', own, going, { input: null, output: device });
      this.#reroute(own, passed);
    }
    this.#end('refused', rest, packet, 'output', null, 'no route');
    return this.#outcomes;
  }

  #reroute(packet: Packet, when: Bdd): void {
    let rest = when;
    for (const [device, towards] of routeOutput(this.#bdds, this.#options.topology, packet)) {
      const going = this.#bdds.and(when, towards);
      rest = this.#bdds.and(rest, towards ^ 1);
      this.#postrouting(copyPacket(packet), going, null, device);
    }
    this.#end('refused', rest, packet, 'output', null, 'no route');
  }

  #otherThanIp(packet: Packet, when: Bdd, input: Device): void {
    const arp = packet.family === 'arp';
    const passed = arp ? this.#visitAll('input', packet, when, { input, output: null }) : when;
    this.#end('other', passed, packet, arp ? 'input' : null, input, arp ? 'ARP' : 'neither IP nor ARP');
  }

  #prerouting(packet: Packet, when: Bdd, input: Device): void {
    const bdds = this.#bdds;
    const { topology } = this.#options;
    let entering = when;
    if (packet.family === 6) {
      const off = topology.ipv6Disabled.includes(input.name) ? always : refusedByIpv6(bdds, packet);
      this.#end('refused', bdds.and(entering, off), packet, null, null, 'refused by IPv6');
      entering = bdds.and(entering, off ^ 1);
    }
    const passed = this.#visitAll('prerouting', packet, entering, { input, output: null });
    if (passed === never) return;
    const { local, forwarded, refused } = routeInput(bdds, topology, packet, input);
    for (const [reason, part] of refused) {
      this.#end('refused', bdds.and(passed, part), packet, 'prerouting', null, reason);
    }
    const { only } = this.#options;
    if (only !== 'left') this.#input(copyPacket(packet), bdds.and(passed, local), input);
    if (only === 'delivered') return;
    for (const [output, part] of forwarded) {
      this.#forward(copyPacket(packet), bdds.and(passed, part), input, output);
    }
  }

  #input(packet: Packet, when: Bdd, input: Device): void {
    let entering = when;
    if (packet.family === 4) entering = this.#collectFragments(packet, entering, 'input');
    const passed = this.#visitAll('input', packet, entering, { input, output: null });
    this.#end('delivered', passed, packet, 'input', input, '');
  }

  #forward(packet: Packet, when: Bdd, input: Device, output: Device): void {
    if (when === never) return;
    const place = packet.family === 4 ? 8 : 7;
    const fewer = addBits(this.#bdds, packet.network.read(place, 1), numberBits(0xff, 8));
    packet.network.write(this.#bdds, place, fewer, always);
    const passed = this.#visitAll('forward', packet, when, { input, output });
    this.#postrouting(packet, passed, input, output);
  }

  #postrouting(packet: Packet, when: Bdd, input: Device | null, output: Device): void {
    if (when === never) return;
    const passed = this.#visitAll('postrouting', packet, when, { input, output });
    packet.link = null;
    const gone = this.#visitAll('egress', packet, passed, { input, output });
    this.#end('left', gone, packet, 'postrouting', output, '');
  }

  /** Fragments stop here; with `reassemble` what they make goes on, of which only the beginning is known. */
  #collectFragments(packet: Packet, when: Bdd, point: HookPoint): Bdd {
    const bdds = this.#bdds;
    const gathered = bdds.and(packet.fragmented, packet.unfit ^ 1);
    const pieces = bdds.and(when, gathered);
    if (pieces === never) return when;
    const { choices, reassemble } = this.#options;
    if (!reassemble) {
      this.#end('held', pieces, packet, point, null, 'a fragment');
      return bdds.and(when, pieces ^ 1);
    }
    const later = bdds.and(pieces, packet.info.later);
    this.#end('held', later, packet, point, null, 'a later fragment');
    const before = packet.transport.copy();
    packet.transport = new HeaderBits([...before.read(0, 8)], (index) => {
      const old = before.read(index >> 3, 1)[index & 7] as Bdd;
      return bdds.ite(gathered, choices.unknown('data of a later fragment', 1)[0] as Bdd, old);
    });
    const length = choices.unknown('length of a reassembled datagram', 16);
    packet.transportLength = iteBits(bdds, gathered, length, packet.transportLength);
    packet.length = iteBits(bdds, gathered, choices.unknown('total length', 32), packet.length);
    packet.info = { ...packet.info, later: bdds.and(packet.info.later, gathered ^ 1) };
    this.#forgetFragment(packet);
    return bdds.and(when, later ^ 1);
  }

  /** IPv4 clears the fields; IPv6 takes the header out of the chain. */
  #forgetFragment(packet: Packet): void {
    const bdds = this.#bdds;
    const { choices } = this.#options;
    if (packet.family === 4) {
      const flags = packet.network.read(6, 2);
      const cleared = flags.map((bit, i) => (i < 2 ? bit : never));
      packet.network.write(bdds, 6, cleared, always);
      return;
    }
    const next = choices.unknown('next header of a reassembled datagram', 8);
    const taken = bdds.or(bdds.and(packet.fragmented, packet.unfit ^ 1), packet.atomic);
    packet.network.write(bdds, 6, next, taken);
    const there = bdds.and(packet.extensions?.get(44) ?? never, taken ^ 1);
    if (packet.extensions !== null) packet.extensions = new Map([...packet.extensions, [44, there]]);
  }

  #visitAll(
    point: HookPoint,
    packet: Packet,
    when: Bdd,
    devices: Pick<HookContext, 'input' | 'output'>,
  ): Bdd {
    const { ruleset, topology, log } = this.#options;
    const hook: HookContext = {
      point,
      topology,
      natHooks: natHooksActive(ruleset, packet.family),
      ...devices,
    };
    const chains = chainsAt(ruleset, hook, packet.family);
    const passages = this.#passages(hook, packet);
    const filters = chains.filter(({ base }) => base.type !== 'nat');
    const order = [
      ...passages.map(({ priority, pass }) => ({ priority, own: true, pass })),
      ...filters.map((hooked) => ({
        priority: hooked.base.priority,
        own: false,
        pass: (passing: Bdd) => this.#visit(hooked, hook, packet, passing, log),
      })),
    ].sort((a, b) => a.priority - b.priority);
    let passing = when;
    for (const [i, { priority, own, pass }] of order.entries()) {
      if (passing === never) return never;
      const tied = order.some((one, j) => j !== i && one.priority === priority && one.own !== own);
      if (tied) throw new NotUnderstood(`a chain at the kernel's own priority ${priority}`, `hook ${point}`);
      passing = pass(passing);
    }
    return passing;
  }

  /** The kernel's own steps at a hook. */
  #passages(hook: HookContext, packet: Packet): { priority: number; pass: (when: Bdd) => Bdd }[] {
    const { ruleset } = this.#options;
    const { point } = hook;
    if (point === 'ingress' || point === 'egress' || !conntrackActive(ruleset, packet.family)) return [];
    const passages: { priority: number; pass: (when: Bdd) => Bdd }[] = [];
    if (point === 'prerouting') {
      passages.push({ priority: defragmentation, pass: (when) => this.#defragment(packet, when) });
    }
    if (point === 'prerouting' || point === 'output') {
      passages.push({
        priority: connectionTracking,
        pass: (when) => {
          track(this.#bdds, packet);
          return when;
        },
      });
    }
    if (point !== 'forward' && hook.natHooks) {
      const pass = (when: Bdd) => this.#nat(hook, packet, when);
      passages.push({ priority: natPriority[sideOf(point)], pass });
    }
    return passages;
  }

  #defragment(packet: Packet, when: Bdd): Bdd {
    if (packet.atomic !== never) {
      if (!this.#options.reassemble) {
        throw new NotUnderstood('an atomic IPv6 fragment under connection tracking', 'hook prerouting');
      }
      this.#forgetFragment(packet);
    }
    return this.#collectFragments(packet, when, 'prerouting');
  }

  #nat(hook: HookContext, packet: Packet, when: Bdd): Bdd {
    const { ruleset, log } = this.#options;
    const side = sideOf(hook.point);
    let passing = when;
    const chains = chainsAt(ruleset, hook, packet.family).filter(({ base }) => base.type === 'nat');
    for (const hooked of chains) {
      const asked = this.#bdds.and(passing, asksChains(this.#bdds, packet, side));
      if (asked === never) break;
      const accepted = this.#visit(hooked, hook, packet, asked, log);
      passing = this.#bdds.or(accepted, this.#bdds.and(passing, asked ^ 1));
    }
    finishSide(this.#bdds, packet, side);
    translateKnown(this.#bdds, packet, side);
    return passing;
  }

  #visit(
    { table, chain, base }: HookedChain,
    hook: HookContext,
    packet: Packet,
    when: Bdd,
    log: ((step: Step) => void) | undefined,
  ): Bdd {
    const { choices } = this.#options;
    if ((hook.point === 'ingress' || hook.point === 'egress') && table.family === 'inet') {
      throw new NotUnderstood(`an ${hook.point} chain of an inet table`, `inet ${table.name} ${chain.name}`);
    }
    const visit = { table, hook, packet, choices, log: log ?? (() => undefined) };
    const { accepted, dropped, queued } = visitBaseChain(visit, chain, base, when);
    const where = `${table.family} ${table.name} ${chain.name}`;
    this.#end('dropped', dropped, packet, hook.point, hook.output ?? hook.input, where);
    this.#end('queued', queued, packet, hook.point, hook.output ?? hook.input, where);
    return accepted;
  }

  #end(
    kind: OutcomeKind,
    when: Bdd,
    packet: Packet,
    hook: HookPoint | null,
    device: Device | null,
    reason: string,
  ): void {
    if (when === never) return;
    this.#outcomes.push({ kind, when, packet: copyPacket(packet), hook, device, reason });
  }
}
