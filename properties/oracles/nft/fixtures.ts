/** A small world for the tests of the oracle: a tap, an uplink, a guest; rulesets as nft lists them. */
import { datagram, frame, summed, udp } from '../../arbitraries/nft/frame-bytes.ts';
import { readJson } from './json/read-json.ts';
import type { Json } from './json/values.ts';
import type { Ruleset } from './ruleset.ts';
import { deviceNamed, type Topology } from './topology.ts';

export const topology: Topology = {
  devices: [
    { name: 'lo', index: 1, hardware: 772, mac: [0, 0, 0, 0, 0, 0], addresses: ['127.0.0.1/8', '::1/128'] },
    {
      name: 'tap0',
      index: 2,
      hardware: 1,
      mac: [2, 0, 0, 0, 0, 1],
      addresses: ['10.1.0.1/30', 'fe80::1/64'],
    },
    {
      name: 'eth0',
      index: 3,
      hardware: 1,
      mac: [2, 0, 0, 0, 0, 2],
      addresses: ['172.20.0.10/24', 'fd00:2::10/64'],
    },
  ],
  routes: [
    { prefix: '0.0.0.0/0', device: 'eth0' },
    { prefix: '::/0', device: 'eth0' },
  ],
  forwarding: { ipv4: true, ipv6: true },
  ipv6Disabled: [],
};

export interface ListedChain {
  readonly name: string;
  readonly hook?: string;
  readonly policy?: 'accept' | 'drop';
  readonly priority?: number;
  readonly type?: string;
  readonly device?: string;
  readonly rules: readonly (readonly Json[])[];
}

type Members = { readonly [key: string]: Json };

/** One table, as `nft -j list ruleset` would write it. */
export function listing(
  family: string,
  chains: readonly ListedChain[],
  others: readonly Json[] = [],
): string {
  const table = 't';
  const entries: Json[] = [{ table: { family, name: table } }, ...others];
  for (const { name, hook, policy, priority, type, device } of chains) {
    const base: Members =
      hook === undefined
        ? {}
        : { type: type ?? 'filter', hook, prio: priority ?? 0, policy: policy ?? 'accept' };
    const dev: Members = device === undefined ? {} : { dev: device };
    entries.push({ chain: { family, table, name, ...base, ...dev } });
  }
  let handle = 1;
  for (const { name, rules } of chains) {
    for (const expr of rules) {
      handle += 1;
      entries.push({ rule: { family, table, chain: name, handle, expr: [...expr] } });
    }
  }
  return JSON.stringify({ nftables: entries });
}

export function read(...listings: readonly string[]): Ruleset {
  const options = { ingressDevices: [], indexOf: (name: string) => deviceNamed(topology, name).index };
  return { tables: listings.flatMap((text) => readJson(text, options).tables) };
}

export const field = (protocol: string, name: string): Json => ({ payload: { protocol, field: name } });
export const match = (left: Json, right: Json, op = '=='): Json => ({ match: { op, left, right } });
export const accept: Json = { accept: null };
export const drop: Json = { drop: null };

export interface UdpOptions {
  readonly source?: string;
  readonly destination?: string;
  readonly port?: number;
  readonly tags?: readonly { readonly type: number; readonly control: number }[];
  readonly fragment?: number;
}

/** A datagram of the guest, to the resolver's port unless said otherwise. */
export function guestFrame(options: UdpOptions = {}): Buffer {
  const { source = '10.1.0.2', destination = '10.1.0.1', port = 53, tags = [], fragment = 0 } = options;
  const segment = summed(udp(40_000, port, Buffer.alloc(8)), 17, source, destination);
  const type = source.includes(':') ? 0x86dd : 0x0800;
  const link = { to: [2, 0, 0, 0, 0, 1], from: [2, 0, 0, 0, 0, 0x11], tags, type };
  return frame(link, datagram({ source, destination, protocol: 17, payload: segment, hops: 64, fragment }));
}
