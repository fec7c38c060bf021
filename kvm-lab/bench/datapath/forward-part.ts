/**
 * What one packet of a guest costs the kernel on its way to the uplink, through the rules and through a bare
 * forward: processor time of the process that writes it to the tap, in which all of it happens.
 */
import { writeSync } from 'node:fs';
import { close } from '#reference/base/syscalls.ts';
import { addAddress, bindNeighbor } from '#reference/datapath/address.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { frameOf } from '#reference/datapath/guest-frames.ts';
import { layGround, run } from '#reference/datapath/kernel-ground.ts';
import { bringUp, createTap, deleteLink, linkNamed, prepareTap } from '#reference/datapath/link.ts';
import { NETLINK_ROUTE, NetlinkSession } from '#reference/datapath/netlink.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { median, type Part, rate } from './figures.ts';

const rounds = 7;
const packets = 40_000;
const world = '93.184.215.14';
const network = sampleNetwork(0);
const policy = { ...narrowPolicy, allow: [`udp://${world}/32:443`] };
const [guest, to] = [
  network.ipv4.guest,
  { destination: world, protocol: 'udp', sourcePort: 5_000, destinationPort: 443 } as const,
];
const frame = frameOf({ ...to, tapMac: network.tapMac, guestMac: network.guestMac, source: guest });

/** Milliseconds of processor time for all of them; how many left is counted at the uplink. */
function blast(fd: number, isTracked: boolean): { took: number; left: number } {
  const before = sent();
  for (let index = 0; index < 1_000; index++) writeSync(fd, frame);
  // Nobody answers here: the flow is told that somebody did, as in earnest somebody does.
  if (isTracked) run('conntrack', '-U', '-p', 'udp', '-d', world, '--status', 'SEEN_REPLY,ASSURED');
  const start = process.cpuUsage();
  for (let index = 0; index < packets; index++) writeSync(fd, frame);
  const { user, system } = process.cpuUsage(start);
  return { took: (user + system) / 1_000, left: sent() - before };
}

const sent = () => {
  const [link] = JSON.parse(run('ip', '-j', '-s', 'link', 'show', 'dev', contractPod.uplink)) as {
    stats64: { tx: { packets: number } };
  }[];
  return link?.stats64.tx.packets ?? 0;
};

function bare(): { took: number; left: number } {
  const route = new NetlinkSession(NETLINK_ROUTE);
  const fd = createTap(network.tap);
  const { index } = linkNamed(route, network.tap);
  prepareTap(route, index, network.tapMac);
  addAddress(route, index, network.ipv4.gateway, 30);
  bringUp(route, index);
  bindNeighbor(route, index, guest, network.guestMac);
  const result = blast(fd, false);
  deleteLink(route, index);
  route.close();
  close(fd);
  return result;
}

function ruled(): { took: number; left: number } {
  const datapath = new Datapath(contractPod);
  const { fd } = datapath.open(network, policy);
  const result = blast(fd, true);
  datapath.shutDown();
  close(fd);
  return result;
}

export async function forwardPart(): Promise<Part> {
  layGround();
  const [theirs, ours, shares]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const [one, two] = [bare(), ruled()];
    if (one.left < packets || two.left < packets)
      throw new Error(`only ${one.left} and ${two.left} left of ${packets}`);
    theirs?.push(one.took);
    ours?.push(two.took);
    shares?.push(one.took / two.took);
  }
  const percent = (median(shares ?? []) * 100).toFixed(0);
  const micros = (times: readonly number[]) => ((median(times) * 1_000) / packets).toFixed(2);
  return {
    measurements: [
      rate('smallest packets through the rules', 'packets', ours ?? [], { each: packets, leads: true }),
      rate('  a bare forward, nothing tracked', 'packets', theirs ?? [], { each: packets }),
    ],
    notes: [
      `one small packet costs ${micros(ours ?? [])} µs of processor time through the rules, ${micros(theirs ?? [])} µs through a bare forward: ${percent} % of its rate`,
    ],
  };
}
