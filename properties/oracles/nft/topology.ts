/** What a packet's way depends on beside the ruleset: devices, addresses, routes. Supplied by the caller. */
import { addressNumber, intervalOf } from '../addresses/address-number.ts';

export interface Device {
  readonly name: string;
  readonly index: number;
  /** ARPHRD: 1 Ethernet, 772 loopback. */
  readonly hardware: number;
  /** Six octets. */
  readonly mac: readonly number[];
  /** `address/length`; the IPv4 broadcast addresses follow from it. */
  readonly addresses: readonly string[];
}

export interface Route {
  readonly prefix: string;
  readonly device: string;
}

export interface Topology {
  readonly devices: readonly Device[];
  /** Beyond those that the devices' addresses make. */
  readonly routes: readonly Route[];
  readonly forwarding: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Interfaces with IPv6 switched off take no IPv6 packet. */
  readonly ipv6Disabled: readonly string[];
}

export type IpFamily = 4 | 6;

export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

export function deviceNamed(topology: Topology, name: string): Device {
  const device = topology.devices.find((one) => one.name === name);
  if (device === undefined) {
    const known = topology.devices.map((one) => one.name).join(', ');
    throw new RangeError(`the topology has no device ${name}; it has ${known}`);
  }
  return device;
}

function ofFamily(topology: Topology, family: IpFamily) {
  return topology.devices.flatMap((device) =>
    device.addresses
      .map((text) => ({ device, text, own: addressNumber(text.split('/')[0] ?? '') }))
      .filter(({ own }) => own.family === family),
  );
}

/** The addresses that are delivered, with the device that holds each; IPv4 loopback is a block. */
export function localRanges(topology: Topology, family: IpFamily): (Range & { device: Device })[] {
  return ofFamily(topology, family).map(({ device, own, text }) => {
    const loopback = device.hardware === 772 && family === 4;
    const { first, last } = loopback ? intervalOf(text) : { first: own.value, last: own.value };
    return { first, last, device };
  });
}

/** Subnet broadcast addresses (the first address of a subnet is none since Linux 5.14). */
export function broadcastRanges(topology: Topology): (Range & { device: Device })[] {
  return ofFamily(topology, 4)
    .filter(({ text, device }) => Number(text.split('/')[1]) < 31 && device.hardware !== 772)
    .map(({ device, text }) => {
      const { last } = intervalOf(text);
      return { first: last, last, device };
    });
}

/** Longest prefix first. */
export function routesOf(
  topology: Topology,
  family: IpFamily,
): (Range & { device: Device; length: number })[] {
  const connected = ofFamily(topology, family).map(({ device, text }) => ({ prefix: text, device }));
  const written = topology.routes.map(({ prefix, device }) => ({
    prefix,
    device: deviceNamed(topology, device),
  }));
  return [...connected, ...written]
    .filter(({ prefix }) => prefix.includes(':') === (family === 6))
    .map(({ prefix, device }) => ({ ...intervalOf(prefix), device, length: Number(prefix.split('/')[1]) }))
    .sort((a, b) => b.length - a.length);
}
