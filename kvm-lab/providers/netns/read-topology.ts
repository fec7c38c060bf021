/**
 * Reads devices, addresses, routes and the switches that steer forwarding from the network namespace that
 * this thread is in. Looks, never changes anything.
 */
import { readFileSync } from 'node:fs';
import {
  type Attributes,
  attributeList,
  readAttributes,
  text,
} from '#properties/oracles/netlink/attributes.ts';
import { NetlinkSocket } from '#properties/oracles/netlink/netlink-socket.ts';
import type { Device, Route, Topology } from '#properties/oracles/nft/topology.ts';

/** What the namespace says of itself, beyond what the evaluator asks for. */
export interface ReadTopology {
  readonly topology: Topology;
  /** Port → bridge: what arrives at a port reaches the IP layer by its bridge. */
  readonly bridgePorts: Readonly<Record<string, string>>;
}

const netlinkRoute = 0;
const getLink = 18;
const getAddress = 22;
const getRoute = 26;
const mainTable = 254;
const unicastRoute = 1;
const headerBytes = { link: 16, address: 8, route: 12 } as const;

interface Entry {
  readonly header: Buffer;
  readonly attributes: Attributes;
}

/** Throws SystemCallError without the right to read. */
export function readTopology(): ReadTopology {
  const socket = new NetlinkSocket(netlinkRoute);
  try {
    const dump = (type: number, bytes: number): Entry[] =>
      socket.dump(type, Buffer.alloc(bytes)).map(({ body }) => ({
        header: body.subarray(0, bytes),
        attributes: readAttributes(body.subarray(bytes)),
      }));
    const links = dump(getLink, headerBytes.link);
    const devices = devicesOf(links, dump(getAddress, headerBytes.address));
    const routes = dump(getRoute, headerBytes.route).flatMap((entry) => routesOf(entry, devices));
    const ipv6Disabled = devices
      .filter(({ name }) => setting(`ipv6/conf/${name}/disable_ipv6`) !== '0')
      .map(({ name }) => name);
    const forwarding = {
      ipv4: setting('ipv4/ip_forward') === '1',
      ipv6: setting('ipv6/conf/all/forwarding') === '1',
    };
    return { topology: { devices, routes, forwarding, ipv6Disabled }, bridgePorts: bridgePortsOf(links) };
  } finally {
    socket.close();
  }
}

/** rtnetlink keeps its numbers in host order. */
function hostNumber(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  return value === undefined ? null : value.readUInt32LE(0);
}

function devicesOf(links: readonly Entry[], addresses: readonly Entry[]): Device[] {
  return links.map(({ header, attributes }) => {
    const index = header.readInt32LE(4);
    const mac = [...(attributes.get(1) ?? [])];
    return {
      name: text(attributes, 3),
      index,
      hardware: header.readUInt16LE(2),
      mac: mac.length === 6 ? mac : [0, 0, 0, 0, 0, 0],
      addresses: addresses.filter((entry) => entry.header.readUInt32LE(4) === index).flatMap(addressOf),
    };
  });
}

/** IFA_LOCAL is the own address where the two differ (point to point). */
function addressOf({ header, attributes }: Entry): string[] {
  const value = attributes.get(2) ?? attributes.get(1);
  const length = header[1] ?? 0;
  return value === undefined ? [] : [`${addressTextOf(value)}/${length}`];
}

function addressTextOf(value: Buffer): string {
  if (value.length === 4) return [...value].join('.');
  const groups = Array.from({ length: 8 }, (_, i) => value.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Unicast routes of the main table; those of connected subnets follow from the addresses. */
function routesOf({ header, attributes }: Entry, devices: readonly Device[]): Route[] {
  const table = hostNumber(attributes, 15) ?? header[4];
  if (table !== mainTable || header[7] !== unicastRoute) return [];
  const family = header[0] === 2 ? 4 : header[0] === 10 ? 6 : null;
  if (family === null) return [];
  const destination = attributes.get(1);
  const address = destination === undefined ? (family === 4 ? '0.0.0.0' : '::') : addressTextOf(destination);
  const prefix = `${address}/${header[1] ?? 0}`;
  return outputsOf(attributes).flatMap((index) => {
    const device = devices.find((one) => one.index === index);
    const connected = device?.addresses.some((own) => networkOf(own) === prefix) === true;
    return device === undefined || connected ? [] : [{ prefix, device: device.name }];
  });
}

/** RTA_OIF, or those of RTA_MULTIPATH: struct rtnexthop is 8 bytes, its attributes follow. */
function outputsOf(attributes: Attributes): number[] {
  const single = hostNumber(attributes, 4);
  if (single !== null) return [single];
  const several = attributes.get(9);
  if (several === undefined) return [];
  const outputs: number[] = [];
  for (let offset = 0; offset + 8 <= several.length; ) {
    const length = several.readUInt16LE(offset);
    if (length < 8) break;
    outputs.push(several.readInt32LE(offset + 4));
    offset += (length + 3) & ~3;
  }
  return outputs;
}

function networkOf(own: string): string {
  const [address = '', length = '0'] = own.split('/');
  const octets = octetsOf(address);
  const masked = octets.map((octet, i) => {
    const kept = Math.min(8, Math.max(0, Number(length) - i * 8));
    return octet & ((0xff << (8 - kept)) & 0xff);
  });
  return `${addressTextOf(Buffer.from(masked))}/${length}`;
}

function octetsOf(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number);
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((one) => Number.parseInt(one, 16));
  const before = groups(head);
  const after = groups(tail);
  const between = new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...between, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

/** IFLA_MASTER of a link whose IFLA_INFO_SLAVE_KIND is bridge. */
function bridgePortsOf(links: readonly Entry[]): Record<string, string> {
  const nameOf = new Map(links.map(({ header, attributes }) => [header.readInt32LE(4), text(attributes, 3)]));
  const ports: Record<string, string> = {};
  for (const { attributes } of links) {
    const information = new Map(attributeList(attributes.get(18) ?? Buffer.alloc(0)));
    const master = nameOf.get(hostNumber(attributes, 10) ?? 0);
    if (master !== undefined && text(information, 4) === 'bridge') ports[text(attributes, 3)] = master;
  }
  return ports;
}

function setting(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
