/** Flows as conntrack keeps them: made by a first packet in one state of the rules, met again in another. */
import { addressText } from '../addresses/address-number.ts';
import { always, never } from '../bdd/bdd.ts';
import { type Bits, constantBytes } from '../bdd/bit-vector.ts';
import type { Connection, Tracked, Tuple } from '../nft/evaluate/packet.ts';

export interface KnownSide {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

function numberOf(bits: Bits): bigint {
  return (constantBytes(bits) ?? []).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** What a packet of one direction carries when it arrives. */
export function sideOf({ original, reply }: Tracked, direction: 'original' | 'reply'): KnownSide {
  const tuple: Tuple = direction === 'original' ? original : reply;
  const family = tuple.source.length === 32 ? 4 : 6;
  const address = (bits: Bits) => addressText({ family, value: numberOf(bits) });
  return {
    source: address(tuple.source),
    destination: address(tuple.destination),
    sourcePort: Number(numberOf(tuple.sourcePort)),
    destinationPort: Number(numberOf(tuple.destinationPort)),
  };
}

export const markOf = ({ mark }: Tracked): number => Number(numberOf(mark));

/** A later packet of the flow, or an ICMP error about it. */
export function laterIn(
  tracked: Tracked,
  direction: 'original' | 'reply',
  as: 'established' | 'related',
): Connection {
  const reply = direction === 'reply';
  const [own, other] = reply ? [tracked.reply, tracked.original] : [tracked.original, tracked.reply];
  return {
    isNew: never,
    established: as === 'established' ? always : never,
    related: as === 'related' ? always : never,
    invalid: never,
    reply: reply ? always : never,
    expected: never,
    seenReply: always,
    assured: never,
    sourceNat: tracked.sourceNat,
    destinationNat: tracked.destinationNat,
    mark: tracked.mark,
    own: as === 'related' ? own : null,
    other,
  };
}
