/** What a counterexample should look like where the proof leaves a choice: a packet that people recognize. */
import type { Bdd, Bdds } from '#properties/oracles/bdd/bdd.ts';
import { equals } from '#properties/oracles/nft/prove/counterexample.ts';
import type { Condition } from '#properties/oracles/nft/prove/prove.ts';
import type { Unknown } from '#properties/oracles/nft/prove/unknown-packet.ts';
import { addressIs, macIs, sourceIs } from '../packet-conditions.ts';
import type { Preference } from '../part.ts';

const flags = { syn: 0x02, synFin: 0x03, ack: 0x10 } as const;
const tcpBytes = 20;
const udpBytes = 8;

function tcp(unknown: Unknown, bdds: Bdds, flag: number): Bdd {
  const { transport, transportLength } = unknown.parts;
  return bdds.all([
    equals(bdds, unknown.protocol, 6),
    equals(bdds, transportLength, tcpBytes),
    equals(bdds, transport.read(12, 1), 0x50),
    equals(bdds, transport.read(13, 1), flag),
    equals(bdds, transport.read(14, 6), 0x0400_0000_0000),
  ]);
}

function udp(unknown: Unknown, bdds: Bdds): Bdd {
  const { transport, transportLength } = unknown.parts;
  return bdds.all([
    equals(bdds, unknown.protocol, 17),
    equals(bdds, transportLength, udpBytes),
    equals(bdds, transport.read(4, 2), udpBytes),
  ]);
}

function icmp(unknown: Unknown, bdds: Bdds, type4: number, type6: number): Bdd {
  const { transport, transportLength } = unknown.parts;
  const six = unknown.shape.family === 6;
  return bdds.all([
    equals(bdds, unknown.protocol, six ? 58 : 1),
    equals(bdds, transportLength, 28 + 8),
    equals(bdds, transport.read(0, 2), (six ? type6 : type4) << 8),
  ]);
}

/** A packet fits the state that conntrack is said to give it. */
const transports: Preference = [
  (unknown, bdds) => bdds.and(unknown.connection.isNew, tcp(unknown, bdds, flags.syn)),
  (unknown, bdds) => bdds.and(unknown.connection.invalid, tcp(unknown, bdds, flags.synFin)),
  (unknown, bdds) => bdds.and(unknown.connection.established, tcp(unknown, bdds, flags.ack)),
  (unknown, bdds) => bdds.and(unknown.connection.related, icmp(unknown, bdds, 3, 1)),
  udp,
  (unknown, bdds) => icmp(unknown, bdds, 8, 128),
];

/** Fixed fields of the header: no options, a plain identification, 64 hops. */
function plainHeader(unknown: Unknown, bdds: Bdds): Bdd {
  const { network, headerWords } = unknown.parts;
  const bits = (at: number, length: number) => network.slice(at * 8, (at + length) * 8);
  if (unknown.shape.family === 6) return equals(bdds, bits(7, 1), 64);
  return bdds.all([
    headerWords === null ? 0 : equals(bdds, headerWords, 5),
    equals(bdds, bits(1, 1), 0),
    equals(bdds, bits(4, 4), 0x0001_4000),
    equals(bdds, bits(8, 1), 64),
  ]);
}

export const port =
  (value: number): Condition =>
  (unknown, bdds) =>
    equals(bdds, unknown.destinationPort, value);

export const destination =
  (text: string): Condition =>
  (unknown, bdds) =>
    addressIs(bdds, unknown.shape, unknown.destination, text);

export const source =
  (text: string): Condition =>
  (unknown, bdds) =>
    sourceIs(unknown, bdds, text);

export const inState =
  (state: 'isNew' | 'established' | 'related' | 'invalid'): Condition =>
  (unknown) =>
    unknown.connection[state];

/** `mine` first, then whatever makes any packet readable. */
export function readable(
  mine: readonly Preference[],
  link: { readonly from: readonly number[]; readonly to: readonly number[] } | null,
): Preference[] {
  const isIp = ({ shape }: Unknown) => shape.family === 4 || shape.family === 6;
  const ipOnly = (condition: Condition): Condition => {
    return (unknown, bdds) => (isIp(unknown) ? condition(unknown, bdds) : 0);
  };
  const links: Preference[] =
    link === null
      ? []
      : [
          [(unknown, bdds) => macIs(bdds, unknown.linkSource, link.from)],
          [(unknown, bdds) => macIs(bdds, unknown.linkDestination, link.to)],
        ];
  return [
    [(unknown) => unknown.parts.fragmented ^ 1],
    [(unknown, bdds) => bdds.any([...unknown.parts.extensions.values()]) ^ 1],
    ...mine,
    [inState('isNew'), inState('invalid'), inState('established')],
    transports.map(ipOnly),
    [9443, 443, 53].map((value) => ipOnly(port(value))),
    [ipOnly((unknown, bdds) => equals(bdds, unknown.sourcePort, 40_000))],
    [ipOnly(plainHeader)],
    ...links,
    [(unknown, bdds) => sameLength(unknown, bdds)],
  ];
}

function sameLength({ parts }: Unknown, bdds: Bdds): Bdd {
  const { transportLength, arrivingLength } = parts;
  return bdds.all(transportLength.map((bit, i) => bdds.xor(bit, arrivingLength[i] ?? 1) ^ 1));
}
