/**
 * A husk whose policy changes while its guest runs, on the kernel's own datapath and a resolver: nothing passes that
 * the policy in force does not allow, and a change that fails lets nothing pass at all. Needs: tun.
 */
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import { close, fcntl } from '#reference/base/syscalls.ts';
import type { SandboxPolicy } from '#reference/contract/datapath.ts';
import type { LoadedSnapshot, PreparedVm, VmPlace } from '#reference/contract/vmm-port.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { flowsOf } from '#reference/datapath/flows.ts';
import { frameOf } from '#reference/datapath/guest-frames.ts';
import { layGround, ruleset, strangers } from '#reference/datapath/kernel-ground.ts';
import { KernelPins } from '#reference/datapath/kernel-pins.ts';
import { NETLINK_NETFILTER, NetlinkSession } from '#reference/datapath/netlink.ts';
import { contractPod, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { type DnsProxy, startDnsProxy } from '#reference/dnsproxy/dnsproxy.ts';
import { loopbackPeer } from '#reference/dnsproxy/packets/loopback-peer.ts';
import type { PacketPeer } from '#reference/dnsproxy/packets/packet-io-contract.ts';
import { a, question, readAnswer, reply } from '#reference/dnsproxy/sample-messages.ts';
import { type UpstreamStub, upstreamStub } from '#reference/dnsproxy/upstream-stub.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { Husk } from '#reference/husk/husk.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { engineGuest } from './engine-guest.ts';
import { fakeSnapshot } from './husk-ground.ts';

const F_DUPFD_CLOEXEC = 1030;
const network = sampleNetwork(0);
const log = openLog('test', 'silent');
const addresses = { 'p.ok.test': '151.101.1.69', 'q.ok.test': '151.101.65.69' } as const;
type Name = keyof typeof addresses;
const [onlyP, both, onlyQ] = ['93.184.215.14', '8.8.8.8', '9.9.9.9'];
const allowing = (address: string, name: Name): SandboxPolicy => ({
  ...{ egress: 'deny', inbound: [] },
  allow: [`tcp://${address}/32:443`, `tcp://${both}/32:443`, `${name}:443`],
});
const p = allowing(onlyP, 'p.ok.test');
const q = allowing(onlyQ, 'q.ok.test');

/** Keeps the tap's end, as a VMM does until it ends. */
class TapVmm extends FakeVmm {
  tap = -1;

  override prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm> {
    this.tap = fcntl(place.tapFd ?? -1, F_DUPFD_CLOEXEC, 0);
    return super.prepare(snapshot, place);
  }
}

/** Refuses changes when it is told to, as the kernel may. */
class RefusingDatapath extends Datapath {
  refuses = false;

  override change(...changed: Parameters<Datapath['change']>): void {
    if (this.refuses) throw new CodedError('ruleset-refused', 'it is told to refuse', 'nothing');
    super.change(...changed);
  }
}

let [folder, snapshot, store] = ['', null as LoadedSnapshot | null, null as WitnessStore | null];
let vmm: TapVmm;
let datapath: RefusingDatapath;
let dns: DnsProxy;
let upstream: UpstreamStub;
let peer: PacketPeer;
let husk: Husk;
const netfilter = new NetlinkSession(NETLINK_NETFILTER);
const pins = new KernelPins();

beforeEach(async () => {
  layGround();
  folder = mkdtempSync(`${tmpdir()}/huskproof-change-`);
  store = await WitnessStore.open(folder, log);
  vmm = new TapVmm(engineGuest().program);
  snapshot = await fakeSnapshot(vmm);
  datapath = new RefusingDatapath(contractPod);
  upstream = await upstreamStub((query) => {
    const name = Buffer.from(query).toString('latin1').toLowerCase().includes('\x01p')
      ? 'p.ok.test'
      : 'q.ok.test';
    return reply(query, [a(addresses[name], 60)]);
  });
  dns = await startDnsProxy({ upstreams: [upstream.endpoint], io: 'dgram', log });
  peer = await loopbackPeer();
  const activation = new Activation(store, log, { deadlineMs: 20_000, requireWitness: false });
  husk = new Husk(network, { vmm, activation, datapath, dns, pod: contractPod, log });
  await husk.prepare(snapshot);
  await husk.activate({ policy: p, secrets: [] });
});

afterEach(async () => {
  await husk.end();
  if (vmm.tap >= 0) close(vmm.tap);
  await dns.stop();
  await upstream.close();
  datapath.shutDown();
  await vmm.close();
  snapshot?.close();
  await store?.close();
  rmSync(folder, { recursive: true });
  expect(strangers()).toEqual([]);
  expect(ruleset().trim()).toBe('');
});

let nextPort = 20_000;
/** Destinations of flows that stand, once the guest has begun one to each of these. */
function flowsAfter(...destinations: string[]): string[] {
  for (const destination of destinations) {
    const { tapMac, guestMac, ipv4 } = network;
    const to = { destination, protocol: 'tcp', sourcePort: nextPort++, destinationPort: 443 } as const;
    writeSync(vmm.tap, frameOf({ tapMac, guestMac, source: ipv4.guest, ...to }));
  }
  return standing();
}

const standing = () =>
  [
    ...new Set(
      flowsOf(netfilter, null)
        .filter(({ flow }) => flow.source === network.ipv4.guest)
        .map(({ flow }) => flow.destination),
    ),
  ].toSorted();

/** @returns the address that the resolver gives, or null */
async function resolve(name: Name): Promise<string | null> {
  peer.send({ address: network.ipv4.resolver, port: 53 }, question(name));
  return readAnswer((await peer.next()).message).addresses[0] ?? null;
}

const pinned = () => pins.read().map(({ address }) => address);
const everywhere = [onlyP, both, onlyQ, ...Object.values(addresses)] as string[];

test('what only the old policy allowed passes no more, what both allow lives on, what the new one allows passes', async () => {
  expect(await resolve('p.ok.test')).toBe(addresses['p.ok.test']);
  expect(await resolve('q.ok.test')).toBe(null);
  expect(flowsAfter(...everywhere)).toEqual([onlyP, both, addresses['p.ok.test']].toSorted());
  await husk.change(q);
  // Before the guest says another word.
  expect(standing()).toEqual([both]);
  expect(pinned()).toEqual([]);
  expect(await resolve('p.ok.test')).toBe(null);
  expect(await resolve('q.ok.test')).toBe(addresses['q.ok.test']);
  expect(flowsAfter(...everywhere)).toEqual([both, onlyQ, addresses['q.ok.test']].toSorted());
});

test('a policy that is none, for resolver or datapath, leaves the old one in force, names included', async () => {
  const inbound = [{ protocol: 'tcp', podPort: 61_000, guestPort: 80, from: '10.0.0.0/8' }] as const;
  for (const bad of [
    { ...q, allow: ['x y:1'] },
    { ...q, inbound },
  ]) {
    await expect(husk.change(bad)).rejects.toMatchObject({ code: /bad-allow-entry|bad-network/ });
    expect(husk.phase).toBe('active');
    expect(await resolve('q.ok.test')).toBe(null);
    expect(await resolve('p.ok.test')).toBe(addresses['p.ok.test']);
    expect(flowsAfter(...everywhere)).toEqual([onlyP, both, addresses['p.ok.test']].toSorted());
  }
});

test('a change that the kernel refuses ends the husk: nothing of old or new passes, and nothing is left', async () => {
  expect(flowsAfter(onlyP, both)).toEqual([onlyP, both].toSorted());
  datapath.refuses = true;
  await expect(husk.change(q)).rejects.toMatchObject({ code: 'ruleset-refused' });
  expect(husk.phase).toBe('ended');
  expect(standing()).toEqual([]);
  expect(pinned()).toEqual([]);
  expect(strangers()).toEqual([]);
});
