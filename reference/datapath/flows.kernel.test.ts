/**
 * Flows on the kernel: the verdict of `admits` is the kernel’s, and a change cuts what it forbids and no more.
 * Needs: tun.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import type { PinElement, SandboxPolicy } from '#reference/contract/datapath.ts';
import { compileAdmits, type Flow } from '../decisions/ruleset/admits.ts';
import { flowMark } from '../decisions/ruleset/flow-mark.ts';
import {
  contractPod,
  mixedPolicy,
  narrowPolicy,
  sampleNetwork,
  widePolicy,
} from '../decisions/ruleset/ruleset-samples.ts';
import { Datapath } from './datapath.ts';
import { flowsOf } from './flows.ts';
import { type FirstPacket, frameOf } from './guest-frames.ts';
import { layGround, run, worldMac } from './kernel-ground.ts';
import { NETLINK_NETFILTER, NetlinkSession } from './netlink.ts';

const pod = { ...contractPod, nat64Prefixes: ['2a00:64:64::/48'], maxPins: 64 };
const network = sampleNetwork(0, true);
const guest6 = network.ipv6?.guest ?? '';
const netfilter = new NetlinkSession(NETLINK_NETFILTER);

beforeAll(() => {
  layGround();
  run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  run('ip', '-6', 'address', 'replace', 'fd00:99::10/64', 'dev', 'up0', 'nodad');
  run('ip', '-6', 'neigh', 'replace', 'fd00:99::1', 'lladdr', worldMac, 'nud', 'permanent', 'dev', 'up0');
  run('ip', '-6', 'route', 'replace', 'default', 'via', 'fd00:99::1');
});

const ipv4Places = [
  '93.184.215.14',
  '8.8.8.8',
  '10.1.2.3',
  '10.96.0.1',
  '10.130.0.1',
  '192.168.4.9',
  '172.16.0.1',
  '169.254.169.254',
  '168.63.129.16',
  '100.100.100.200',
  '203.0.113.7',
  '224.0.0.1',
  '255.255.255.255',
  '127.0.0.1',
  '0.0.0.1',
  '240.0.0.1',
  '192.0.2.10',
  '192.0.2.77',
  '10.200.0.1',
  '10.200.0.0',
  '151.101.1.69',
];
const ipv6Places = [
  '2606:2800::1',
  'fd00:1::7',
  'fd00:2::7',
  'fd00:5:1::1',
  'fe80::1',
  'ff02::1',
  '::1',
  '64:ff9b::5db8:d70e',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  '2002:5db8:d70e::1',
  '2a00::5efe:a9fe:a9fe',
  '2a00::5efe:5db8:d70e',
  '2a00:64:64:5db8:d7:e00::',
  '2a00:64:64:a9fe:a9:fe00::',
  '2a00:64:64:5db8:1d7:e00::',
  '::ffff:5db8:d70e',
  'fd00:ec2::254',
  '2001:db8::1',
];
/** Local ports that answer a SYN by a reset would end the flow at once: the resolver is asked by UDP. */
const ports = [53, 80, 443, 8_443];
const pins: PinElement[] = [
  { tap: network.tap, address: '151.101.1.69', protocol: 'tcp', port: 443, timeoutMs: 600_000 },
  { tap: network.tap, address: '8.8.8.8', protocol: 'udp', port: 53, timeoutMs: 600_000 },
  { tap: network.tap, address: '169.254.169.254', protocol: 'tcp', port: 80, timeoutMs: 600_000 },
  { tap: network.tap, address: '172.16.0.1', protocol: 'tcp', port: 443, timeoutMs: 600_000 },
  { tap: network.tap, address: '2606:2800::1', protocol: 'tcp', port: 443, timeoutMs: 600_000 },
];
const pinned = new Set(pins.map(({ address, protocol, port }) => `${address} ${protocol} ${port}`));

const pick = <T>(from: readonly T[]): T => from[randomInt(from.length)] as T;
let nextPort = 1_024;

function randomPacket(): FirstPacket {
  const isIpv4 = randomInt(2) === 0;
  const random = isIpv4
    ? Array.from({ length: 4 }, () => randomInt(256)).join('.')
    : `2${randomInt(4_096).toString(16).padStart(3, '0')}::${randomInt(65_536).toString(16)}`;
  const destination = randomInt(4) === 0 ? random : pick(isIpv4 ? ipv4Places : ipv6Places);
  const isLocal = ['10.200.0.1', 'fd00:5:1::1'].includes(destination);
  nextPort += 1;
  return {
    tapMac: network.tapMac,
    guestMac: network.guestMac,
    source: isIpv4 ? network.ipv4.guest : guest6,
    destination,
    protocol: isLocal ? 'udp' : pick(['tcp', 'udp', 'echo'] as const),
    sourcePort: nextPort,
    destinationPort: pick(ports),
  };
}

const numbers = { tcp: 6, udp: 17 } as const;

function flowOf({ source, destination, protocol, sourcePort, destinationPort }: FirstPacket): Flow {
  const isIpv4 = !source.includes(':');
  const isEcho = protocol === 'echo';
  return {
    source,
    destination,
    protocol: isEcho ? (isIpv4 ? 1 : 58) : numbers[protocol],
    sourcePort: isEcho ? 0 : sourcePort,
    destinationPort: isEcho ? 0 : destinationPort,
    icmpType: isEcho ? (isIpv4 ? 8 : 128) : null,
    answeredBy: destination,
    answeredFrom: isEcho ? 0 : destinationPort,
  };
}

const keyOf = (flow: Flow) =>
  `${flow.source} ${flow.destination} ${flow.protocol} ${flow.sourcePort} ${flow.destinationPort} ${flow.icmpType}`;
const standing = (policy: SandboxPolicy) =>
  new Set(flowsOf(netfilter, flowMark(pod, network, policy)).map(({ flow }) => keyOf(flow)));

const policies: SandboxPolicy[] = [
  narrowPolicy,
  mixedPolicy,
  { ...widePolicy, inbound: [] },
  { egress: 'deny', allow: ['0.0.0.0/0:443', '[::/0]:443', 'udp://8.0.0.0/8:53'], inbound: [] },
];
const isPinned = ({ address, protocol, port }: { address: string; protocol: string; port: number }) =>
  pinned.has(`${address} ${protocol} ${port}`);

test('the verdict of admits is the kernel’s for random first packets, and every change keeps what both admit', () => {
  const datapath = new Datapath(pod);
  let [fd, admitted, judged, outlived, cut] = [-1, 0, 0, 0, 0];
  try {
    for (const from of policies) {
      for (const to of policies) {
        ({ fd } = datapath.open(network, from));
        expect(datapath.addPins(pins)).not.toContain(false);
        const packets = Array.from({ length: 150 }, randomPacket);
        for (const packet of packets) writeSync(fd, frameOf(packet));
        const flows = packets.map(flowOf);
        const [before, after] = [from, to].map((policy) => compileAdmits(pod, network, policy));
        const found = standing(from);
        for (const flow of flows) {
          const verdict = before?.(flow, isPinned);
          // The pod's own addresses are not known to admits.
          if (flow.destination === '192.0.2.10' || flow.destination === '10.200.0.0')
            expect(found.has(keyOf(flow))).toBe(false);
          else expect(found.has(keyOf(flow)), `${keyOf(flow)}: ${verdict?.rule}`).toBe(verdict?.admitted);
        }
        judged += flows.length;
        admitted += found.size;
        datapath.change(network.tap, to);
        const left = standing(to);
        for (const flow of flows) {
          const lives = found.has(keyOf(flow)) && after?.(flow, isPinned).admitted === true;
          expect(left.has(keyOf(flow)), `${keyOf(flow)} after the change`).toBe(lives);
        }
        outlived += left.size;
        cut += found.size - left.size;
        if (from !== to) expect(standing(from).size).toBe(0);
        datapath.close(network.tap);
        close(fd);
        fd = -1;
        expect(standing(to).size).toBe(0);
      }
    }
  } finally {
    if (fd !== -1) close(fd);
    datapath.shutDown();
  }
  console.log(
    `${judged} first packets: ${admitted} admitted; of these ${outlived} outlived a change, ${cut} were cut`,
  );
  expect(Math.min(admitted, outlived, cut)).toBeGreaterThan(50);
});

test('flows of a sibling and of the pod itself are never cut, not even when everything is closed', () => {
  const datapath = new Datapath(pod);
  const sibling = sampleNetwork(1);
  const wide = { ...widePolicy, inbound: [] };
  const [one, two] = [datapath.open(network, wide), datapath.open(sibling, wide)];
  const to = {
    destination: '93.184.215.14',
    protocol: 'udp',
    sourcePort: 5_000,
    destinationPort: 443,
  } as const;
  try {
    run('bash', '-c', 'echo x > /dev/udp/9.9.9.9/4444');
    for (const [{ fd }, { tapMac, guestMac, ipv4 }] of [
      [one, network],
      [two, sibling],
    ] as const)
      writeSync(fd, frameOf({ ...to, tapMac, guestMac, source: ipv4.guest }));
    const sources = () =>
      flowsOf(netfilter, null)
        .map(({ flow }) => flow.source)
        .sort();
    const all = ['10.200.0.2', '10.200.0.6', '192.0.2.10'];
    expect(sources()).toEqual(expect.arrayContaining(all));
    datapath.change(network.tap, narrowPolicy);
    expect(sources()).not.toContain('10.200.0.2');
    expect(sources()).toEqual(expect.arrayContaining(all.slice(1)));
  } finally {
    datapath.shutDown();
    for (const { fd } of [one, two]) close(fd);
  }
  expect(flowsOf(netfilter, null).map(({ flow }) => flow.source)).toContain('192.0.2.10');
});

test('a sandbox never has more flows than its share of the ports, not even after changes of policy', () => {
  const few = { ...pod, masqueradePorts: [61_000, 61_007] as const };
  const share = 6;
  const open = { egress: 'allow', allow: [], inbound: [] } as const;
  const datapath = new Datapath(few);
  const { fd } = datapath.open(network, open);
  const begin = (count: number) => {
    for (let index = 0; index < count; index++) {
      nextPort += 1;
      const ends = { destination: '93.184.215.14', protocol: 'udp', destinationPort: 443 } as const;
      const { tapMac, guestMac, ipv4 } = network;
      writeSync(fd, frameOf({ ...ends, tapMac, guestMac, source: ipv4.guest, sourcePort: nextPort }));
    }
  };
  const own = () => flowsOf(netfilter, null).filter(({ flow }) => flow.source === network.ipv4.guest).length;
  try {
    begin(share - 1);
    expect(own()).toBe(share - 1);
    begin(share);
    expect(own()).toBe(share);
    for (const allow of [['tcp://8.8.8.8/32:443'], ['tcp://8.8.4.4/32:443']]) {
      datapath.change(network.tap, { ...open, allow });
      expect(own()).toBe(share);
      begin(share);
      expect(own()).toBe(share);
    }
    // What ended makes room again.
    datapath.change(network.tap, narrowPolicy);
    datapath.change(network.tap, open);
    begin(share + 1);
    expect(own()).toBe(share);
  } finally {
    datapath.shutDown();
    close(fd);
  }
});

test('questions never fill the table of flows: a flood of them is held to its rate', async () => {
  const datapath = new Datapath(pod);
  const { fd } = datapath.open(network, narrowPolicy);
  const [burst, perSecond, connections] = [4_000, 1_000, 256];
  const own = (of: number) => flowsOf(netfilter, null).filter(({ flow }) => flow.protocol === of).length;
  const flood = (protocol: 'tcp' | 'udp', count: number) => {
    const { tapMac, guestMac, ipv4 } = network;
    const ends = { tapMac, guestMac, source: ipv4.guest, destination: ipv4.resolver, destinationPort: 53 };
    const beginMs = performance.now();
    for (let port = 1; port <= count; port++) writeSync(fd, frameOf({ ...ends, protocol, sourcePort: port }));
    return (performance.now() - beginMs) / 1_000;
  };
  const listener = createServer().listen(53, network.ipv4.resolver);
  await once(listener, 'listening');
  try {
    flood('tcp', 1_000);
    expect(own(numbers.tcp)).toBe(connections);
    const seconds = flood('udp', 20_000);
    expect(own(numbers.udp)).toBeGreaterThan(burst / 2);
    expect(own(numbers.udp)).toBeLessThanOrEqual(burst + perSecond * (seconds + 1));
  } finally {
    listener.close();
    datapath.shutDown();
    close(fd);
  }
});
