/** Vectors on the status: phase, readiness, addresses of every kind, restarts. */
import {
  condition,
  containerStatus,
  type Fields,
  huskImage,
  nodeAddress,
  otherConditions,
  type StoredPod,
  storedPod,
} from '../../../models/stored-pod.ts';
import { genuine, type HuskVector, huskAddress, refuse, replaced, select, sources } from './husk-vector.ts';

const withStatus = (fields: Fields, pod = genuine()) => replaced(pod, 'status', fields);
const at = (...addresses: readonly string[]) =>
  withStatus({ podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) });

const neighbour = (address: string, fields: Fields = {}): StoredPod => {
  const web = storedPod('web-5b9f', address);
  const bare = replaced(web, 'metadata', { labels: { app: 'web' }, ownerReferences: undefined });
  return withStatus(fields, bare);
};

function readiness(): HuskVector[] {
  const phases = ['Pending', 'Succeeded', 'Failed', 'Unknown', 'running', '', undefined];
  const ready = (...states: readonly string[]) => [
    ...otherConditions,
    ...states.map((state) => condition('Ready', state)),
  ];
  const states: readonly (readonly [string, string, unknown])[] = [
    ['false', 'Ready is False', ready('False')],
    ['unknown', 'Ready is Unknown: its node is gone', ready('Unknown')],
    ['absent', 'no Ready condition', otherConditions],
    ['none', 'no conditions', undefined],
    ['lower-case', 'Ready is true in lower case', ready('true')],
    ['true-then-false', 'Ready twice: True, then False', ready('True', 'False')],
    ['false-then-true', 'Ready twice: False, then True', ready('False', 'True')],
    ['true-then-unknown', 'Ready twice: True, then Unknown', ready('True', 'Unknown')],
    [
      'of-another-type',
      'only a condition of a type like it is True',
      [...otherConditions, condition('ready', 'True'), condition('example.com/Ready', 'True')],
    ],
  ];
  return [
    ...phases.map((phase) =>
      refuse(`phase/${phase === '' ? 'empty' : (phase ?? 'absent')}`, `phase is ${phase ?? 'absent'}`, {
        pod: withStatus({ phase }),
        rule: 'not Running',
        source: sources.ready,
      }),
    ),
    ...states.map(([id, comment, conditions]) =>
      refuse(`ready/${id}`, comment, {
        pod: withStatus({ conditions }),
        rule: 'not Ready',
        source: sources.ready,
      }),
    ),
    select('ready/twice-true', 'Ready twice, True both times', {
      pod: withStatus({ conditions: ready('True', 'True') }),
      source: sources.ready,
    }),
    select('ready/readiness-gate', 'a condition of somebody else is False', {
      pod: withStatus({ conditions: [...ready('True'), condition('example.com/mesh', 'False')] }),
      source: sources.ready,
    }),
    refuse('ready/no-status', 'the status is empty', {
      pod: { ...genuine(), status: {} },
      rule: 'not Running',
      source: sources.ready,
    }),
  ];
}

const impossible: readonly (readonly [string, string])[] = [
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'unspecified, loopback or an IPv4 in disguise'],
  ['169.254.169.254', 'link-local'],
  ['169.254.0.1', 'link-local'],
  ['fe80::1', 'link-local or site-local'],
  ['febf:ffff::1', 'link-local or site-local'],
  ['fec0::1', 'link-local or site-local'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.250', 'multicast'],
  ['ff02::1', 'multicast'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['::', 'unspecified, loopback or an IPv4 in disguise'],
  ['240.0.0.1', 'reserved or broadcast'],
  ['255.255.255.255', 'reserved or broadcast'],
  ['::ffff:10.244.3.17', 'unspecified, loopback or an IPv4 in disguise'],
  ['::ffff:7f00:1', 'unspecified, loopback or an IPv4 in disguise'],
  ['::10.244.3.17', 'unspecified, loopback or an IPv4 in disguise'],
];

const unreadable = [
  'attacker.example',
  '10.244.3.017',
  '10.244.3',
  '0x0af40311',
  '10.244.3.17/32',
  '10.244.3.17 ',
  'fe80::1%eth0',
  '[2001:db8::1]',
  ':',
  '10.244.3.17:9091',
];

function impossibleAddresses(): HuskVector[] {
  const named = (text: string) => text.replace(/[^0-9a-z]+/gi, '-');
  return [
    ...impossible.map(([ip, why]) =>
      refuse(`address/impossible-${named(ip)}`, `its address is ${ip}`, {
        pod: at(ip),
        rule: `address: ${why}`,
        source: sources.address,
      }),
    ),
    ...unreadable.map((text, index) =>
      refuse(`address/unreadable-${index}`, `its address is ${JSON.stringify(text)}`, {
        pod: at(text),
        rule: 'address: none',
        source: sources.address,
      }),
    ),
    refuse('address/absent', 'no address', {
      pod: withStatus({ podIP: undefined, podIPs: undefined }),
      rule: 'address: none',
      source: sources.address,
    }),
    refuse('address/empty', 'an empty address', {
      pod: withStatus({ podIP: '', podIPs: [] }),
      rule: 'address: none',
      source: sources.address,
    }),
    refuse('address/second-loopback', 'the second address is loopback', {
      pod: at(huskAddress, '::1'),
      rule: 'address: unspecified, loopback or an IPv4 in disguise',
      source: sources.address,
    }),
    refuse('address/second-metadata', 'the second address is link-local', {
      pod: at('2001:db8:3::11', '169.254.169.254'),
      rule: 'address: link-local',
      source: sources.address,
    }),
    refuse('address/second-unreadable', 'the second address is none', {
      pod: at(huskAddress, 'attacker.example'),
      rule: 'address: none',
      source: sources.address,
    }),
    refuse(
      'address/of-its-node',
      'its address is that of its node, though it is not on the network of the host',
      { pod: at(nodeAddress), rule: 'address: of its node', source: sources.address },
    ),
    refuse('address/of-its-node-second', 'the second address is the second one of its node', {
      pod: withStatus({
        podIPs: [{ ip: huskAddress }, { ip: '2001:DB8:7::b' }],
        hostIPs: [{ ip: nodeAddress }, { ip: '2001:db8:7::b' }],
      }),
      rule: 'address: of its node',
      source: sources.address,
    }),
  ];
}

function sharedAddresses(): HuskVector[] {
  const rule = 'address: of another pod too';
  const shares = (id: string, comment: string, pod: StoredPod, other: StoredPod) =>
    refuse(`address/shared-${id}`, comment, { pod, others: [other], rule, source: sources.address });
  return [
    shares('same', 'another pod has its address', genuine(), neighbour(huskAddress)),
    shares(
      'pending',
      'a pod that is not ready yet has its address',
      genuine(),
      neighbour(huskAddress, { phase: 'Pending' }),
    ),
    shares(
      'second',
      'the second address of another pod',
      genuine(),
      neighbour('10.244.3.40', { podIPs: [{ ip: '10.244.3.40' }, { ip: huskAddress }] }),
    ),
    shares(
      'own-second',
      'its second address is another pod’s',
      at(huskAddress, '2001:db8:3::11'),
      neighbour('2001:db8:3::11'),
    ),
    shares(
      'notation',
      'another pod’s address in another notation',
      at('2001:db8:3::11'),
      neighbour('2001:0DB8:3:0::0:11'),
    ),
    shares(
      'own-notation',
      'its own address in another notation',
      at('2001:0db8:0003::0011'),
      neighbour('2001:db8:3::11'),
    ),
    shares(
      'terminating',
      'a pod that is being deleted has its address yet',
      genuine(),
      replaced(neighbour(huskAddress), 'metadata', { deletionTimestamp: '2026-11-24T09:00:00Z' }),
    ),
    select('address/shared-with-ended', 'a pod that came to its end had its address before', {
      others: [neighbour(huskAddress, { phase: 'Succeeded' })],
      source: sources.address,
    }),
    select('address/shared-with-failed', 'a pod that failed had its address before', {
      others: [neighbour(huskAddress, { phase: 'Failed' })],
      source: sources.address,
    }),
    select('address/neighbour', 'other pods have other addresses', {
      others: [
        neighbour('10.244.3.18'),
        { ...neighbour('10.244.3.19'), metadata: storedPod('web-6c2d', '').metadata },
      ],
      source: sources.address,
    }),
  ];
}

function goodAddresses(): HuskVector[] {
  return [
    select('address/ipv6', 'IPv6 alone', { pod: at('2001:db8:3::11'), source: sources.address }),
    select('address/unique-local', 'a unique local address', {
      pod: at('fd00:10:244:3::11'),
      source: sources.address,
    }),
    select('address/dual-stack', 'both families, IPv4 first', {
      pod: at(huskAddress, '2001:db8:3::11'),
      source: sources.address,
    }),
    select('address/dual-stack-ipv6-first', 'both families, IPv6 first', {
      pod: at('2001:db8:3::11', huskAddress),
      source: sources.address,
    }),
    select('address/notation', 'not canonical: dialled in canonical form', {
      pod: at('2001:0DB8:3::0011'),
      at: '2001:db8:3::11',
      source: sources.address,
    }),
    select('address/single-field', 'podIP without podIPs', {
      pod: withStatus({ podIPs: undefined }),
      source: sources.address,
    }),
    select('address/shared-space', '100.64.0.0/10, which some clusters give to pods', {
      pod: at('100.64.3.17'),
      source: sources.address,
    }),
    select('address/public', 'a public address, which some clusters give to pods', {
      pod: at('203.0.114.17'),
      source: sources.address,
    }),
  ];
}

function containers(): HuskVector[] {
  const is = (id: string, comment: string, fields: Fields, rule: string) =>
    refuse(`container/${id}`, comment, {
      pod: withStatus(fields),
      rule: `drift: ${rule}`,
      source: sources.drift,
    });
  const running = (restartCount: unknown) => containerStatus('husk', huskImage, restartCount);
  return [
    is(
      'restarted',
      'its container was restarted',
      { containerStatuses: [running(1)] },
      'restarted container',
    ),
    is(
      'restarted-often',
      'its container was restarted many times',
      { containerStatuses: [running(2_147_483_647)] },
      'restarted container',
    ),
    is(
      'restart-count-absent',
      'no restart count',
      { containerStatuses: [running(undefined)] },
      'restarted container',
    ),
    is(
      'init-restarted',
      'an init container was restarted',
      { initContainerStatuses: [containerStatus('prepare', huskImage, 2)] },
      'restarted container',
    ),
    is(
      'second-restarted',
      'a second container was restarted',
      { containerStatuses: [running(0), containerStatus('debug', 'attacker/shell', 1)] },
      'restarted container',
    ),
    is(
      'ephemeral',
      'an ephemeral container runs in it',
      { ephemeralContainerStatuses: [containerStatus('debug', 'attacker/shell', 0)] },
      'ephemeral container',
    ),
    is(
      'no-statuses',
      'no container statuses: nobody says that it was never restarted',
      { containerStatuses: undefined },
      'a container without status',
    ),
    is(
      'other-statuses',
      'statuses of another container alone',
      { containerStatuses: [containerStatus('debug', 'attacker/shell', 0)] },
      'a container without status',
    ),
    select('container/no-ephemeral', 'no ephemeral container, written out', {
      pod: withStatus({ ephemeralContainerStatuses: [] }),
      source: sources.drift,
    }),
    select('container/image-id', 'the runtime names the image in its own way', {
      pod: withStatus({
        containerStatuses: [{ ...running(0), image: 'sha256:77', imageID: 'mirror.example/mitos/husk' }],
      }),
      source: sources.drift,
    }),
  ];
}

export function statusVectors(): HuskVector[] {
  return [
    ...goodAddresses(),
    ...readiness(),
    ...impossibleAddresses(),
    ...sharedAddresses(),
    ...containers(),
  ];
}
