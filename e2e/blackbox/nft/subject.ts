/** From flags to what is judged: the ruleset, the network around it, the guest's place in it. */
import { isIP } from 'node:net';
import type { Topology } from '#properties/oracles/nft/topology.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Subject } from './claims-of-ruleset.ts';
import type { Facts, GuestTap } from './facts.ts';
import {
  type NftFlags,
  parseAddress,
  parseAllow,
  parseDevice,
  parseGuest,
  parseInbound,
  parseLocal,
  parseMac,
} from './flags.ts';
import { inPrefixText } from './packet-conditions.ts';
import { readSource, type Source } from './source.ts';

export interface ReadSubject extends Subject {
  /** What was read, for the head of a report. */
  readonly source: string;
}

/**
 * Throws CodedError `bad-ruleset`, `bad-topology`, `bad-nft-flag`, `no-namespace`: nothing was judged then.
 */
export async function readSubject(flags: NftFlags): Promise<ReadSubject> {
  const source = await readSource(flags);
  const merged = { ...source.defaults, ...flags };
  const ports = { ...source.bridgePorts, ...namedPorts(merged.tap ?? []) };
  const taps = guestTaps(merged, ports);
  const uplink = merged.uplink === undefined ? undefined : parseDevice('--uplink', merged.uplink);
  const topology = topologyOf(source, merged, taps, uplink);
  const facts: Facts = {
    taps,
    resolver: resolverOf(merged.resolver),
    uplink,
    allow: merged.allow === undefined ? undefined : parseAllow(merged.allow),
    inbound: (merged.inbound ?? []).map(parseInbound),
  };
  const ruleset = source.ruleset(topology);
  return { ruleset, topology, bridgePorts: ports, facts, source: source.name };
}

function resolverOf(text: string | undefined): string | null | undefined {
  if (text === undefined) return undefined;
  return text === 'none' ? null : parseAddress('--resolver', text);
}

/** `--tap PORT@BRIDGE` names a port where nothing else says which bridge it is in. */
function namedPorts(taps: readonly string[]): Record<string, string> {
  const pairs = taps.map((text) => text.split('@')).filter((pair) => pair.length === 2);
  return Object.fromEntries(pairs.map((pair) => pair.map((name) => parseDevice('--tap', name))));
}

function guestTaps(flags: NftFlags, ports: Readonly<Record<string, string>>): GuestTap[] {
  const { tap = [], guest = [], guestMac = [] } = flags;
  if (tap.length !== guest.length || (guestMac.length > 0 && guestMac.length !== tap.length)) {
    throw new CodedError(
      'bad-nft-flag',
      `${tap.length} of --tap, ${guest.length} of --guest, ${guestMac.length} of --guest-mac`,
      'give each --tap its --guest, and its --guest-mac or none at all, in the same order',
    );
  }
  return tap.map((text, i) => {
    const name = parseDevice('--tap', text.split('@')[0] ?? '');
    const mac = guestMac[i];
    return {
      tap: name,
      device: ports[name] ?? name,
      guest: parseGuest(guest[i] ?? ''),
      mac: mac === undefined ? null : parseMac(mac),
    };
  });
}

function topologyOf(
  source: Source,
  flags: NftFlags,
  taps: readonly GuestTap[],
  uplink: string | undefined,
): Topology {
  const locals = (flags.local ?? []).map(parseLocal);
  const named = [...taps.map(({ device }) => device), ...(uplink === undefined ? [] : [uplink])];
  const base = source.topology;
  const topology =
    base === null ? bareTopology(named, locals, taps, uplink) : withLocals(base, locals, uplink);
  const known = topology.devices.map(({ name }) => name);
  for (const name of named) {
    if (known.includes(name)) continue;
    throw new CodedError(
      'bad-topology',
      `${source.name} has no interface ${name}`,
      `name one that is there: ${known.join(', ')}`,
    );
  }
  for (const { device, tap, guest } of taps) checkGateway(topology, device, tap, guest);
  return withGuestRoutes(topology, taps);
}

type Local = ReturnType<typeof parseLocal>;

const loopback = {
  name: 'lo',
  index: 1,
  hardware: 772,
  mac: [0, 0, 0, 0, 0, 0],
  addresses: ['127.0.0.1/8', '::1/128'],
};

/** Of a file nothing is known but what the flags say: the worst is assumed of the rest (IPv6 on, forwarded). */
function bareTopology(
  named: readonly string[],
  locals: readonly Local[],
  taps: readonly GuestTap[],
  uplink: string | undefined,
): Topology {
  const names = [...new Set(['lo', ...named, ...locals.flatMap(({ device }) => device ?? [])])];
  const devices = names.map((name, i) => {
    if (name === 'lo') return loopback;
    const own = locals.filter((local) => placeOf(local, taps, uplink) === name).map(({ address }) => address);
    const linkLocal = `fe80::ff:fe00:${(i + 1).toString(16)}/64`;
    return { name, index: i + 1, hardware: 1, mac: [2, 0, 0, 0, 0, i + 1], addresses: [...own, linkLocal] };
  });
  const routes =
    uplink === undefined ? [] : ['0.0.0.0/0', '::/0'].map((prefix) => ({ prefix, device: uplink }));
  return { devices, routes, forwarding: { ipv4: true, ipv6: true }, ipv6Disabled: [] };
}

/** An address whose subnet holds a guest is the tap's; any other is the uplink's. */
function placeOf({ address, device }: Local, taps: readonly GuestTap[], uplink: string | undefined) {
  return device ?? taps.find(({ guest }) => inPrefixText(guest, address))?.device ?? uplink ?? null;
}

function withLocals(base: Topology, locals: readonly Local[], uplink: string | undefined): Topology {
  const devices = base.devices.map((device) => {
    const own = locals.filter((local) => (local.device ?? uplink) === device.name);
    const more = own.map(({ address }) => address).filter((text) => !device.addresses.includes(text));
    return { ...device, addresses: [...device.addresses, ...more] };
  });
  return { ...base, devices };
}

function checkGateway(topology: Topology, device: string, tap: string, guest: string): void {
  const own = topology.devices.find(({ name }) => name === device)?.addresses ?? [];
  if (own.some((text) => isIP(text.split('/')[0] ?? '') === 4)) return;
  throw new CodedError(
    'bad-topology',
    `this host has no IPv4 address on ${device}, where ${tap} brings the packets of ${guest}`,
    `give it: --local ADDRESS/LENGTH@${device}, the guest's gateway`,
  );
}

/** Where no address of a tap covers its guest, a host route does. */
function withGuestRoutes(topology: Topology, taps: readonly GuestTap[]): Topology {
  const missing = taps.filter(({ device, guest }) => {
    const own = topology.devices.find(({ name }) => name === device)?.addresses ?? [];
    return !own.some((text) => inPrefixText(guest, text));
  });
  const routes = missing.map(({ device, guest }) => ({ prefix: `${guest}/32`, device }));
  return { ...topology, routes: [...topology.routes, ...routes] };
}
