/** Addresses that matter in a scene: the pod's own, forgeable ones, and the edges of what policies allow. */
import * as fc from 'fast-check';
import { addressText, intervalOf } from '../oracles/addresses/address-number.ts';
import { addressArbitrary } from './addresses.ts';
import { neighbour, type Scene, uplink } from './sandbox-scenes.ts';

const of = <T>(...values: readonly T[]) => fc.constantFrom(...values);

/** The first packet of a flow: who begins it, and to where. */
export interface FlowBeginning {
  /** A guest, the pod, or a neighbour on the uplink. */
  readonly by: 0 | 1 | 'pod' | 'neighbour';
  readonly protocol: 'tcp' | 'udp';
  readonly destination: string;
  readonly port: number;
}

const broadcastOf = (gateway: string) => addressText({ family: 4, value: intervalOf(`${gateway}/30`).last });
const firstOf = (gateway: string) => addressText({ family: 4, value: intervalOf(`${gateway}/30`).first });

/** Addresses that the pod's kernel takes for its own, or might. */
export function localAddresses(scene: Scene, at: 0 | 1, family: 4 | 6): string[] {
  const { network } = scene.sandboxes[at];
  const sibling = scene.sandboxes[at === 0 ? 1 : 0].network;
  if (family === 4) {
    const { gateway, resolver } = network.ipv4;
    return [
      ...[gateway, resolver, uplink.ipv4, sibling.ipv4.gateway, sibling.ipv4.resolver],
      ...[broadcastOf(gateway), firstOf(gateway), '127.0.0.1', '255.255.255.255', '224.0.0.1', '0.0.0.0'],
    ];
  }
  const own = [network.ipv6, sibling.ipv6].flatMap((ipv6) => (ipv6 === null ? [] : [ipv6.gateway]));
  return [...own, uplink.ipv6, `fe80::${at + 1}`, 'fe80::10', '::1', 'ff02::1', 'ff02::2', 'ff02::1:ff00:1'];
}

export function forgedSources(scene: Scene, at: 0 | 1, family: 4 | 6): string[] {
  const { network } = scene.sandboxes[at];
  const sibling = scene.sandboxes[at === 0 ? 1 : 0].network;
  if (family === 4) {
    const { gateway } = network.ipv4;
    return [
      ...[firstOf(gateway), broadcastOf(gateway), gateway, sibling.ipv4.guest, sibling.ipv4.gateway],
      ...[uplink.ipv4, neighbour.ipv4, '127.0.0.1', '0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255'],
      ...['169.254.169.254', '8.8.8.8', '10.200.0.9'],
    ];
  }
  const own = [network.ipv6?.gateway, sibling.ipv6?.guest].filter((one) => one !== undefined);
  return [
    'fe80::2',
    ...own,
    '::',
    '::1',
    'ff02::1',
    uplink.ipv6,
    neighbour.ipv6,
    'fd00:200::9',
    '2001:4860:4860::8888',
  ];
}

const edgesOf = (prefix: string) => {
  const { family, first, last } = intervalOf(prefix);
  return [first - 1n, first, last, last + 1n]
    .filter((value) => value >= 0n && value < 1n << (family === 4 ? 32n : 128n))
    .map((value) => addressText({ family, value }));
};

/** `protocol address port` that a policy allows, or nearly does. */
export function nearPlaces(scene: Scene, at: 0 | 1): FlowBeginning[] {
  const { policy, next, pins } = scene.sandboxes[at];
  const named = [...policy.allow, ...next.allow].flatMap((entry) => {
    const [, scheme, host = '', port = ''] =
      /^(?:(tcp|udp):\/\/)?\[?([\d.:a-f/]+?)\]?:(\d+)$/.exec(entry) ?? [];
    if (host === '' || !/[.:]/.test(host)) return [];
    const protocol: 'tcp' | 'udp' = scheme === 'udp' ? 'udp' : 'tcp';
    const prefix = host.includes('/') ? host : `${host}/${host.includes(':') ? 128 : 32}`;
    return edgesOf(prefix).map((destination) => ({ by: at, protocol, destination, port: Number(port) }));
  });
  const pinned = pins.map(({ address, protocol, port }) => ({
    by: at,
    protocol,
    destination: address,
    port,
  }));
  const denied = scene.pod.denyCIDRs
    .flatMap(edgesOf)
    .map((destination) => ({ by: at, protocol: 'tcp' as const, destination, port: 443 }));
  const sibling = scene.sandboxes[at === 0 ? 1 : 0].network;
  const own = scene.sandboxes[at].network;
  // Where an entry for every address would let it go.
  const reserved = [
    ...['0.1.2.3', '240.0.0.1', sibling.ipv4.guest, own.ipv4.gateway, broadcastOf(own.ipv4.gateway)],
    ...[sibling.ipv6?.guest, own.ipv6?.gateway].filter((one) => one !== undefined),
    // Metadata as a mapped address; an IPv4 in a NAT64 prefix whose bits 64 to 71 are not zero.
    ...['::ffff:a9fe:a9fe', '2001:67c:2e8:808:108:800::'],
  ].map((destination) => {
    const protocol = destination.includes(':') ? ('tcp' as const) : ('udp' as const);
    return { by: at, protocol, destination, port: 123 };
  });
  const isatap = { by: at, protocol: 'tcp' as const, destination: '2606:4700::5efe:a9fe:a9fe', port: 443 };
  return [...pinned, ...named, ...denied, ...reserved, isatap];
}

const metadata4 = ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192'] as const;
const metadata6 = [
  'fd00:ec2::254',
  'fd00:42::42',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::',
  '2606:4700::5efe:a9fe:a9fe',
] as const;
export const ofFamily = (family: 4 | 6) => (address: string) => address.includes(':') === (family === 6);

/** Where a guest would like to send. */
export function destinations(scene: Scene, at: 0 | 1, family: 4 | 6): fc.Arbitrary<string> {
  const sibling = scene.sandboxes[at === 0 ? 1 : 0].network;
  const near = nearPlaces(scene, at)
    .map(({ destination }) => destination)
    .filter(ofFamily(family));
  const others =
    family === 4
      ? [sibling.ipv4.guest, scene.sandboxes[at].network.ipv4.guest, neighbour.ipv4, '8.8.8.8', '10.30.1.1']
      : [...(sibling.ipv6 === null ? [] : [sibling.ipv6.guest]), neighbour.ipv6, '2001:4860:4860::8888'];
  return fc.oneof(
    { weight: 3, arbitrary: of(...localAddresses(scene, at, family)) },
    { weight: 3, arbitrary: of(...(near.length === 0 ? others : near)) },
    { weight: 1, arbitrary: of<string>(...(family === 4 ? metadata4 : metadata6)) },
    { weight: 1, arbitrary: of(...others) },
    { weight: 2, arbitrary: addressArbitrary.filter(ofFamily(family)) },
  );
}
