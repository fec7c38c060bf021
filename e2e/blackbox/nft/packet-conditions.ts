/** Words about packets, as conditions on their bits: who sent it, where it goes, which state it has. */
import { addressNumber, intervalOf, within } from '#properties/oracles/addresses/address-number.ts';
import { type Bdd, type Bdds, never } from '#properties/oracles/bdd/bdd.ts';
import { type Bits, numberBits, withinBits } from '#properties/oracles/bdd/bit-vector.ts';
import { inPrefix, isAddress } from '#properties/oracles/nft/evaluate/fib.ts';
import { addressBits, type Packet } from '#properties/oracles/nft/evaluate/packet.ts';
import type { Outcome } from '#properties/oracles/nft/evaluate/pipeline.ts';
import { equals, equalsOctets } from '#properties/oracles/nft/prove/counterexample.ts';
import type { Unknown } from '#properties/oracles/nft/prove/unknown-packet.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';

export const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);

/** The address is of the packet's family and equal. */
export function addressIs(bdds: Bdds, packet: Pick<Packet, 'family'>, bits: Bits, text: string): Bdd {
  return packet.family === familyOf(text) ? isAddress(bdds, bits, text) : never;
}

export function addressWithin(
  bdds: Bdds,
  packet: Pick<Packet, 'family'>,
  bits: Bits,
  prefixes: readonly string[],
): Bdd {
  const own = prefixes.filter((prefix) => familyOf(prefix) === packet.family);
  return bdds.any(own.map((prefix) => inPrefix(bdds, bits, prefix)));
}

/** Part of a flow that conntrack knows. */
export function inFlow(bdds: Bdds, { connection }: Unknown): Bdd {
  return bdds.or(connection.established, connection.related);
}

export const sourceIs = (unknown: Unknown, bdds: Bdds, text: string) =>
  addressIs(bdds, unknown.shape, unknown.source, text);

export const macIs = (bdds: Bdds, bits: Bits, mac: readonly number[]) => equalsOctets(bdds, bits, mac);

/** As it is where it ended, after every translation. */
export function ended(packet: Packet) {
  return {
    source: addressBits(packet, 'source'),
    destination: addressBits(packet, 'destination'),
    protocol: packet.family === 4 ? packet.network.read(9, 1) : packet.info.protocol,
    port: packet.transport.read(2, 2),
  };
}

const portProtocols = { tcp: 6, udp: 17 } as const;

/** The packet is of the protocol and goes to one of these ports. */
export function goesTo(
  bdds: Bdds,
  packet: { readonly protocol: Bits; readonly port: Bits },
  protocol: 'tcp' | 'udp',
  ports: { readonly first: number; readonly last: number } | null,
): Bdd {
  const same = equals(bdds, packet.protocol, portProtocols[protocol]);
  if (ports === null) return same;
  const { first, last } = ports;
  return bdds.and(same, withinBits(bdds, packet.port, numberBits(first, 16), numberBits(last, 16)));
}

/** Answers that the kernel gives by itself before or instead of a verdict. */
const answered = ['no route', 'hop limit reached'];

/** The packet had an effect: delivered, forwarded, handed on, or answered by the kernel. */
export function hasEffect({ kind, reason, hook }: Outcome): boolean {
  if (kind === 'delivered' || kind === 'left' || kind === 'queued') return true;
  if (kind === 'other') return hook === 'input';
  return kind === 'refused' && answered.includes(reason);
}

/** The addresses of this host, and the prefixes they lie in. */
export function ownAddresses(topology: Topology, device: string): string[] {
  return topology.devices
    .filter(({ name }) => name === device)
    .flatMap(({ addresses }) => addresses)
    .filter((text) => !text.startsWith('fe80:'));
}

export const withoutLength = (text: string) => text.split('/')[0] ?? text;

/** The octets of the ARP packet: sender's MAC and address, target's address (RFC 826). */
export function arpBinds(
  { parts, linkSource }: Unknown,
  bdds: Bdds,
  mac: readonly number[],
  guest: string,
  targets: readonly string[],
): Bdd {
  const octets = (at: number, length: number) => parts.network.slice(at * 8, (at + length) * 8);
  const addressed = (at: number, text: string) => isAddress(bdds, octets(at, 4), text);
  // Each MAC against a constant: against each other their diagram would explode.
  const ethernetIpv4 = equalsOctets(bdds, octets(0, 6), [0, 1, 8, 0, 6, 4]);
  return bdds.all([
    ethernetIpv4,
    macIs(bdds, octets(8, 6), mac),
    macIs(bdds, linkSource, mac),
    addressed(14, guest),
    bdds.any(targets.map((target) => addressed(24, target))),
  ]);
}

/** The address lies in the prefix, `address/length`. */
export function inPrefixText(address: string, prefix: string): boolean {
  return within(intervalOf(prefix), addressNumber(address));
}
