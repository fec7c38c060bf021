/** What a check of a ruleset is told beside the ruleset: who the guest is, where the world is, what is allowed. */
import type { Device, Topology } from '#properties/oracles/nft/topology.ts';

export interface GuestTap {
  /** As it was named; of a port of a bridge, the port. */
  readonly tap: string;
  /** Where its packets reach the IP layer: the tap itself, or the bridge that it is a port of. */
  readonly device: string;
  readonly guest: string;
  /** null: nobody said. */
  readonly mac: readonly number[] | null;
}

/** A destination that the guest may begin flows to. */
export interface Allowed {
  readonly protocol: 'tcp' | 'udp' | 'any';
  readonly prefix: string;
  readonly ports: { readonly first: number; readonly last: number } | null;
}

export interface InboundPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface Facts {
  readonly taps: readonly GuestTap[];
  /** null: the guest has none; undefined: nobody said. */
  readonly resolver: string | null | undefined;
  readonly uplink: string | undefined;
  /** 'any': everything but the deny lists; undefined: nobody said. */
  readonly allow: readonly Allowed[] | 'any' | undefined;
  /** Ports of the guest that flows may begin to; nobody said: none. */
  readonly inbound: readonly InboundPort[];
}

/** Devices other than taps (and the ports of their bridges) by which something may come. */
export function elsewhere(facts: Facts, topology: Topology, ports: readonly string[]): Device[] {
  const guests = new Set(facts.taps.flatMap(({ tap, device }) => [tap, device]));
  return topology.devices.filter(
    ({ name, hardware }) => !guests.has(name) && !ports.includes(name) && hardware === 1,
  );
}

export const macText = (mac: readonly number[]) =>
  mac.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
