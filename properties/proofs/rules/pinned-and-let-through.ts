/**
 * Which addresses a guest reaches when every address is pinned: the evaluator runs one packet whose destination
 * is unknown through the reference's rules, and the outcome is a set of addresses.
 */
import { addressNumber, intervalOf } from '../../oracles/addresses/address-number.ts';
import { always, never } from '../../oracles/bdd/bdd.ts';
import { numberBits } from '../../oracles/bdd/bit-vector.ts';
import { parseFrame } from '../../oracles/nft/evaluate/frame.ts';
import { addressPlaces, newConnection } from '../../oracles/nft/evaluate/packet.ts';
import { Pipeline } from '../../oracles/nft/evaluate/pipeline.ts';
import type { NftSet, Ruleset } from '../../oracles/nft/ruleset.ts';
import { deviceNamed, type Topology } from '../../oracles/nft/topology.ts';
import { setLogic, wholeAddress } from '../addresses/address-sets.ts';
import type { NumberSet, NumberSets } from '../addresses/number-sets.ts';

const https = 443;

/** The sets of pins hold every address, for TCP and this port. */
export function withEverythingPinned(ruleset: Ruleset, isPins: (name: string) => boolean): Ruleset {
  const filled = (set: NftSet): NftSet => {
    const octets = set.fieldBytes[0] ?? 4;
    const rest = [6, 0, 0, 0, https >> 8, https & 0xff, 0, 0];
    const key = (octet: number) => [...new Array<number>(octets).fill(octet), ...rest];
    const element = { from: key(0), to: key(0xff), value: null, verdict: null, expressions: [] };
    return { ...set, elements: [element] };
  };
  const tables = ruleset.tables.map((table) => {
    const sets = new Map([...table.sets].map(([name, set]) => [name, isPins(name) ? filled(set) : set]));
    return { ...table, sets };
  });
  return { tables };
}

/** Destinations to which the frame, a TCP SYN from a tap, leaves by the uplink. */
export function letThrough(
  bdd: NumberSets,
  ruleset: Ruleset,
  topology: Topology,
  tap: string,
  frame: Buffer,
): NumberSet {
  const device = deviceNamed(topology, tap);
  const { arriving, inside } = parseFrame(frame, device, newConnection());
  const places = addressPlaces[bdd.width === 32 ? 4 : 6];
  for (const packet of [arriving, inside]) packet.network.write(bdd, places.destination, bdd.bits, always);
  const choices = {
    bdds: bdd,
    either: () => never,
    linear: () => always,
    unknown: (_name: string, bits: number) => numberBits(25_000, bits),
  };
  const pipeline = new Pipeline({ ruleset, topology, choices, reassemble: false });
  const outcomes = pipeline.arrive({ device, arriving, inside, when: always, enters: always, refusal: '' });
  const left = outcomes.filter(({ kind, device: by }) => kind === 'left' && by?.name !== tap);
  return bdd.any(left.map(({ when }) => when));
}

/** To these nothing goes, whatever is pinned: no unicast, the pod's own, and what lies behind its taps. */
export function outOfReach(bdd: NumberSets, topology: Topology, uplink: string): NumberSet {
  const family = bdd.width === 32 ? 4 : 6;
  const held = topology.devices.flatMap(({ name, addresses }) =>
    addresses.map((text) => (name === uplink ? `${text.split('/')[0]}/${family === 4 ? 32 : 128}` : text)),
  );
  const odd = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/127', 'ff00::/8', 'fe80::/10'];
  const broadcasts = topology.devices
    .flatMap(({ addresses }) => addresses)
    .filter((text) => !text.includes(':'));
  const logic = setLogic(bdd);
  const within = (first: bigint, last: bigint) => logic.within(wholeAddress(family), { family, first, last });
  const sets = [...odd, ...held]
    .filter((text) => addressNumber(text.split('/')[0] ?? '').family === family)
    .map(intervalOf)
    .map(({ first, last }) => within(first, last));
  const ends = family === 6 ? [] : broadcasts.map(intervalOf).map(({ last }) => within(last, last));
  return [...sets, ...ends].reduce((all, set) => bdd.or(all, set), bdd.never);
}
