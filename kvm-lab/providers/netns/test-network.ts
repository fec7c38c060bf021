/**
 * A small network inside the network namespace that this process runs in: a tap's side, an uplink, and the
 * far ends through which frames are put in. Invariant: it refuses to be built in the host's own namespace.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { macText } from '#properties/arbitraries/nft/pools.ts';
import { libc } from '#properties/oracles/netlink/libc.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';

export interface End {
  readonly name: string;
  /** The other end of the veth pair, where the world is. */
  readonly far: string;
  readonly mac: readonly number[];
  readonly addresses: readonly string[];
}

export const tapEnd: End = {
  name: 't0',
  far: 't0w',
  mac: [2, 0, 0, 0, 0, 1],
  addresses: ['10.1.0.1/30', 'fd00:1::1/64', 'fe80::1/64'],
};

export const uplinkEnd: End = {
  name: 'u0',
  far: 'u0w',
  mac: [2, 0, 0, 0, 0, 2],
  addresses: ['172.20.0.10/24', 'fd00:2::10/64', 'fe80::1:1/64'],
};

const defaultRoutes = [
  ['0.0.0.0/0', '172.20.0.1'],
  ['::/0', 'fd00:2::1'],
] as const;

const commandTimeoutMs = 20_000;
const settleMs = 20_000;
const pollMs = 5;

/** Throws when this is the namespace of the process that started us. */
export function assertPrivateNetwork(hostNamespace: string): void {
  if (readlinkSync('/proc/self/ns/net') === hostNamespace) {
    throw new Error('this is the network namespace of the host: nothing is changed here');
  }
}

export function buildNetwork(ends: readonly End[]): void {
  for (const [key, value] of Object.entries(settings)) writeSetting(key, value);
  const lines = ['link set lo up'];
  for (const { name, far, mac, addresses } of ends) {
    lines.push(`link add ${name} address ${macText(mac)} type veth peer name ${far}`);
    lines.push(`link set ${far} up`, `link set ${name} up`);
    for (const address of addresses) {
      lines.push(`addr add ${address} dev ${name}${address.includes(':') ? ' nodad' : ' brd +'}`);
    }
  }
  for (const [prefix, via] of defaultRoutes)
    lines.push(`route add ${prefix} via ${via} dev ${uplinkEnd.name}`);
  execFileSync('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n`, timeout: commandTimeoutMs });
  for (const { far } of ends) writeSetting(`net.ipv6.conf.${far}.disable_ipv6`, '1');
  awaitSettled(ends);
}

/** The kernel brings links up, and makes IPv6 addresses its own, beside the calls that ask for it: some time after. */
function awaitSettled(ends: readonly End[]): void {
  const deadline = performance.now() + settleMs;
  for (let missing = unsettled(ends); missing.length > 0; missing = unsettled(ends)) {
    if (performance.now() > deadline) throw new Error(`${missing.join(', ')} not there after ${settleMs} ms`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
  }
}

function unsettled(ends: readonly End[]): string[] {
  const shown = (words: readonly string[]) =>
    JSON.parse(execFileSync('ip', ['-j', ...words], { timeout: commandTimeoutMs, encoding: 'utf8' })) as {
      readonly ifname?: string;
      readonly operstate?: string;
      readonly dst?: string;
    }[];
  const up = new Set(shown(['link']).flatMap((link) => (link.operstate === 'UP' ? [link.ifname] : [])));
  const own = new Set(
    ['-4', '-6'].flatMap((family) =>
      shown([family, 'route', 'show', 'table', 'local', 'type', 'local']).map(({ dst }) => dst),
    ),
  );
  const links = ends.flatMap(({ name, far }) => [name, far]).filter((name) => !up.has(name));
  const addresses = ends
    .flatMap((end) => end.addresses.map((address) => address.split('/')[0] as string))
    .filter((address) => !own.has(address));
  return [...links, ...addresses];
}

const settings: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
  'net.ipv6.conf.all.accept_ra': '0',
  'net.ipv6.conf.default.accept_ra': '0',
  'net.ipv6.conf.default.addr_gen_mode': '1',
  'net.ipv6.conf.default.accept_dad': '0',
  'net.ipv6.conf.default.router_solicitations': '0',
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv4.conf.all.send_redirects': '0',
  'net.ipv4.conf.default.send_redirects': '0',
};

function writeSetting(key: string, value: string): void {
  writeFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, value);
}

export function topologyOf(ends: readonly End[]): Topology {
  const devices = ends.map(({ name, mac, addresses }) => ({
    name,
    index: libc().if_nametoindex(name),
    hardware: 1,
    mac,
    addresses,
  }));
  const loopback = {
    name: 'lo',
    index: libc().if_nametoindex('lo'),
    hardware: 772,
    mac: [0, 0, 0, 0, 0, 0],
    addresses: ['127.0.0.1/8', '::1/128'],
  };
  return {
    devices: [loopback, ...devices],
    routes: defaultRoutes.map(([prefix]) => ({ prefix, device: uplinkEnd.name })),
    forwarding: { ipv4: true, ipv6: true },
    ipv6Disabled: [],
  };
}
