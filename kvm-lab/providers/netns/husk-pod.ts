/**
 * A fresh pod and the world behind its uplink. The world's namespace is this process's own; the pod's is given,
 * with what runs the datapath in it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { DnsPod } from '../dns-lab.ts';
import type { GuestEnd, HonestGuest, Place, Probe, Reached, SeenFrame, Tables } from '../network-lab.ts';
import { guest, hosts, hosts6, listenerPorts, router, sibling, uplink } from '../topology.ts';
import { Capture, FrameSender } from './capture.ts';
import { ChildDatapath, type DatapathSource } from './child-datapath.ts';
import { type DnsSubject, NamespaceDns } from './dns-control.ts';
import { TapEnd } from './guest-end.ts';
import { NamespaceGuest, tapWire, vethWire } from './honest-guest.ts';
import { Namespace } from './namespace.ts';
import { PacketTrace, withoutTrace } from './packet-trace.ts';
import { Planted, plantPod, plantWorld } from './planted.ts';
import type { Reactor } from './reactor.ts';
import type { DatagramSocket } from './sockets.ts';
import { dialTcp } from './sockets.ts';
import { readTables } from './tables.ts';

const probeDeadlineMs = 2_000;
const settleDeadlineMs = 5_000;
const worldEnd = 'world0';
const maxSentKept = 1_000;

/** Of one namespace: read and written where the thread is. */
function sysctl(namespace: Namespace, settings: Readonly<Record<string, number>>): void {
  namespace.within(() => {
    for (const [name, value] of Object.entries(settings)) writeFileSync(`/proc/sys/net/${name}`, `${value}`);
  });
}

/** An address can be used at once: duplicate address detection would take a second of every test. */
const noDetection = { 'ipv6/conf/default/accept_dad': 0, 'ipv6/conf/default/dad_transmits': 0 };

function buildWorld(world: Namespace, pod: Namespace): void {
  sysctl(world, { ...noDetection, 'ipv6/conf/default/router_solicitations': 0 });
  // ip_forward is what the container runtime or the privileged init container sets in a pod.
  sysctl(pod, { ...noDetection, 'ipv4/ip_forward': 1 });
  pod.run(
    'ip',
    ['-batch', '-'],
    [
      `link add ${uplink.name} address ${uplink.mac} type veth peer name ${worldEnd} address ${router.mac} netns ${world.path}`,
      'link set dev lo up',
      `addr add ${uplink.ipv4}/24 dev ${uplink.name}`,
      `addr add ${uplink.ipv6}/64 dev ${uplink.name} nodad`,
      `link set dev ${uplink.name} up`,
      `route add default via ${router.ipv4}`,
      `route add default via ${router.ipv6}`,
      '',
    ].join('\n'),
  );
  const { neighbor, ...behind } = hosts;
  world.run(
    'ip',
    ['-batch', '-'],
    [
      'link set dev lo up',
      ...Object.values(behind).map((address) => `addr add ${address}/32 dev lo`),
      ...Object.values(hosts6).map((address) => `addr add ${address}/128 dev lo`),
      `addr add ${router.ipv4}/24 dev ${worldEnd}`,
      `addr add ${neighbor}/24 dev ${worldEnd}`,
      `addr add ${router.ipv6}/64 dev ${worldEnd} nodad`,
      `link set dev ${worldEnd} up`,
      // What leaves without translation is answered, so that a hole shows as a connection.
      `route add 10.200.0.0/16 via ${uplink.ipv4}`,
      `route add fd00:200::/32 via ${uplink.ipv6}`,
      '',
    ].join('\n'),
  );
}

export class NamespacePod implements DnsPod {
  readonly datapath: ChildDatapath;
  readonly upstream: Place;
  readonly probed: Place[] = [];
  readonly sentFromUplink: Buffer[] = [];
  readonly #reactor: Reactor;
  readonly #pod: Namespace;
  readonly #source: DatapathSource;
  readonly #world = Namespace.create();
  readonly #podCapture: Capture;
  readonly #worldCapture: Capture;
  readonly #sender: FrameSender;
  readonly #planted: Planted;
  readonly #plantedWorld: Planted;
  readonly #upstream: DatagramSocket;
  readonly #honest: HonestGuest[] = [];
  readonly #dnsSubject: DnsSubject;
  #dns: NamespaceDns | null = null;

  constructor(reactor: Reactor, pod: Namespace, source: DatapathSource, dnsSubject: DnsSubject) {
    this.#reactor = reactor;
    this.#pod = pod;
    this.#source = source;
    this.#dnsSubject = dnsSubject;
    buildWorld(this.#world, this.#pod);
    this.#podCapture = new Capture(reactor, this.#pod);
    this.#worldCapture = new Capture(reactor, this.#world);
    this.#sender = new FrameSender(this.#world, this.#indexIn(this.#world, worldEnd));
    this.#planted = new Planted(reactor, this.#pod);
    this.#plantedWorld = new Planted(reactor, this.#world);
    this.#upstream = plantPod(this.#planted);
    this.upstream = this.#upstream.local;
    plantWorld(this.#plantedWorld);
    this.datapath = new ChildDatapath(reactor, this.#pod, source);
  }

  get namespacePaths(): readonly string[] {
    return [this.#pod.path, this.#world.path];
  }

  get processes(): readonly number[] {
    return [this.datapath.pid];
  }

  get machines(): readonly number[] {
    return this.datapath.machines;
  }

  /** From the first time on the lab's own resolver makes room for the subject's. */
  get dns(): NamespaceDns {
    this.#dns ??= new NamespaceDns(
      {
        reactor: this.#reactor,
        pod: this.#pod,
        world: this.#world,
        planted: this.#planted,
        plantedWorld: this.#plantedWorld,
        sender: this.#sender,
      },
      this.#dnsSubject,
    );
    return this.#dns;
  }

  get reached(): readonly Reached[] {
    return this.#planted.reached;
  }

  get worldReached(): readonly Reached[] {
    return this.#plantedWorld.reached;
  }

  get podFrames(): readonly SeenFrame[] {
    return this.#podCapture.frames;
  }

  get worldFrames(): readonly SeenFrame[] {
    return this.#worldCapture.frames;
  }

  #indexIn(namespace: Namespace, name: string): number {
    const [found] = [...interfacesOf(namespace)].filter(([, other]) => other === name);
    return found?.[0] ?? 0;
  }

  /**
   * The kernel gives the uplink its link-local address when it has seen the carrier, a little later, and the route to
   * it later still.
   */
  async settled(): Promise<void> {
    const deadlineMs = performance.now() + settleDeadlineMs;
    while (!this.#hasLinkLocal(uplink.name)) {
      if (performance.now() > deadlineMs) throw new Error('the uplink got no link-local address in time');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  interfaceNames(): ReadonlyMap<number, string> {
    return interfacesOf(this.#pod);
  }

  #hasLinkLocal(name: string): boolean {
    const address = this.linkLocal(name)?.replaceAll(':', '');
    if (address === undefined) return false;
    const routes = this.#pod.within(() => readFileSync('/proc/thread-self/net/ipv6_route', 'utf8'));
    return routes.split('\n').some((line) => line.startsWith(`${address} 80 `));
  }

  linkLocal(name: string): string | null {
    const lines = this.#pod.within(() => readFileSync('/proc/thread-self/net/if_inet6', 'utf8')).split('\n');
    const found = lines
      .map((line) => line.split(/\s+/))
      .find((row) => row[5] === name && row[0]?.startsWith('fe80'));
    return found?.[0]?.match(/.{4}/g)?.join(':') ?? null;
  }

  tables(): Tables {
    return readTables(this.#pod);
  }

  ruleset(): string {
    return withoutTrace(this.#pod.run('nft', ['list', 'ruleset']));
  }

  trace(): PacketTrace {
    const taps = [guest.tap, sibling.tap].filter((name) =>
      [...this.interfaceNames().values()].includes(name),
    );
    return new PacketTrace(this.#pod, [...taps, uplink.name]);
  }

  sendFromUplink(frame: Uint8Array): void {
    if (this.sentFromUplink.length < maxSentKept) this.sentFromUplink.push(Buffer.from(frame));
    this.#sender.send(frame);
  }

  sendFromPod(data: Uint8Array, to: Place): boolean {
    return this.#upstream.send(data, to);
  }

  async dialFromWorld(
    from: Place,
    to: Place,
    deadlineMs: number,
  ): Promise<{ answered: string | null; failure: string | null }> {
    return this.#exchange(from, to, 'dial', deadlineMs);
  }

  async #exchange(from: Place, to: Place, word: string, deadlineMs: number) {
    let settle: (answer: string | null) => void = () => undefined;
    const answer = new Promise<string | null>((resolve) => {
      settle = resolve;
    });
    const timer = setTimeout(() => settle(null), deadlineMs);
    const dialled = await dialTcp(this.#reactor, this.#world, { from, to, deadlineMs }, (data) =>
      settle(data === null ? null : data.toString('latin1')),
    );
    if ('refused' in dialled) {
      clearTimeout(timer);
      return { answered: null, failure: dialled.refused };
    }
    this.probed.push({ address: from.address, port: dialled.connection.local.port });
    dialled.connection.send(Buffer.from(word));
    const answered = await answer;
    clearTimeout(timer);
    dialled.connection.close();
    return { answered, failure: answered === word ? null : 'connected, and no answer came' };
  }

  async probe(): Promise<Probe[]> {
    const probes = [
      { name: 'kubelet probe', from: router.ipv4, port: listenerPorts.api },
      { name: 'controller dial', from: hosts.controller, port: listenerPorts.control },
    ] as const;
    return Promise.all(
      probes.map(async ({ name, from, port }) => {
        const begun = performance.now();
        const to = { address: uplink.ipv4, port };
        const { failure } = await this.#exchange({ address: from, port: 0 }, to, 'probe', probeDeadlineMs);
        return { name, latencyMs: performance.now() - begun, failure };
      }),
    );
  }

  honestGuest(end: GuestEnd): HonestGuest {
    const { guests, guestSide } = this.#source;
    if (guests !== null) return this.#keepHonest(guests.honest(end));
    if (!(end instanceof TapEnd)) throw new TypeError('an end of this provider');
    const wire = guestSide === null ? tapWire(this.#reactor, end) : vethWire(end.place.tap, guestSide);
    return this.#keepHonest(new NamespaceGuest(this.#reactor, end.place, wire));
  }

  #keepHonest(made: HonestGuest): HonestGuest {
    this.#honest.push(made);
    return made;
  }

  /**
   * Of the link, at both ends: a veth drops in silence what exceeds the MTU of the end that receives it. The
   * world still announces the segment size of a wider link, so that senders must discover the path's MTU.
   */
  setUplinkMtu(octets: number): void {
    this.#pod.run('ip', ['link', 'set', 'dev', uplink.name, 'mtu', `${octets}`]);
    this.#world.run('ip', ['link', 'set', 'dev', worldEnd, 'mtu', `${octets}`]);
    const announced = ['advmss', '1460'];
    this.#world.run('ip', ['route', 'replace', `${uplink.ipv4}/32`, 'dev', worldEnd, ...announced]);
  }

  forwardIpv6(): void {
    sysctl(this.#pod, { 'ipv6/conf/all/forwarding': 1 });
  }

  drain(): void {
    this.#podCapture.drain();
    this.#worldCapture.drain();
    this.#dns?.drain();
    this.#reactor.poll();
  }

  async close(): Promise<void> {
    for (const guest of this.#honest) guest.close();
    await this.#dns?.close();
    await this.datapath.end();
    this.#planted.close();
    this.#plantedWorld.close();
    this.#podCapture.close();
    this.#worldCapture.close();
    this.#sender.close();
    this.#pod.close();
    this.#world.close();
    this.#source.guestSide?.close();
  }
}

function interfacesOf(namespace: Namespace): Map<number, string> {
  const rows = JSON.parse(namespace.run('ip', ['-j', 'link', 'show'])) as {
    ifindex: number;
    ifname: string;
  }[];
  return new Map(rows.map(({ ifindex, ifname }) => [ifindex, ifname]));
}
