/** A connection as one writes it down, into the bits that the evaluator reads. */
import { addressNumber } from '../addresses/address-number.ts';
import { always, type Bdd, never } from '../bdd/bdd.ts';
import { numberBits } from '../bdd/bit-vector.ts';
import { type Connection, newConnection, type Tuple } from './evaluate/packet.ts';

export interface KnownTuple {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: number;
}

export interface KnownConnection {
  readonly state: 'new' | 'established' | 'related' | 'invalid';
  readonly reply?: boolean;
  readonly mark?: number;
  readonly assured?: boolean;
  readonly expected?: boolean;
  /** Both tuples; absent: the packet's own and its reverse, so without translation. */
  readonly original?: KnownTuple;
  readonly replies?: KnownTuple;
}

const truth = (value: boolean | undefined): Bdd => (value === true ? always : never);

export function connectionOf(known: KnownConnection): Connection {
  const flow = known.state === 'established' || known.state === 'related';
  const { original, replies } = known;
  const reply = known.reply === true;
  const own = reply ? replies : original;
  const other = reply ? original : replies;
  return {
    ...newConnection(),
    isNew: truth(known.state === 'new'),
    established: truth(known.state === 'established'),
    related: truth(known.state === 'related'),
    invalid: truth(known.state === 'invalid'),
    reply: truth(reply),
    expected: truth(known.expected),
    seenReply: truth(flow),
    assured: truth(known.assured),
    sourceNat: truth(original !== undefined && original.source !== replies?.destination),
    destinationNat: truth(original !== undefined && original.destination !== replies?.source),
    mark: numberBits(known.mark ?? 0, 32),
    own: own === undefined ? null : tupleBits(own),
    other: other === undefined ? null : tupleBits(other),
  };
}

function tupleBits(tuple: KnownTuple): Tuple {
  const address = (text: string) => {
    const { family, value } = addressNumber(text);
    return numberBits(value, family === 4 ? 32 : 128);
  };
  return {
    source: address(tuple.source),
    destination: address(tuple.destination),
    sourcePort: numberBits(tuple.sourcePort, 16),
    destinationPort: numberBits(tuple.destinationPort, 16),
    protocol: numberBits(tuple.protocol, 8),
  };
}
