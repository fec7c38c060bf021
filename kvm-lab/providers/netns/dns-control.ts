/** The DNS side of one pod: a subject's proxy that was brought into it, its upstreams in the world, its pins. */

import { packet, protocols } from '#kvm-lab/frames/internet.ts';
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { udp } from '#kvm-lab/frames/transport.ts';
import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { DnsPolicyOrder, PinSetNames } from '#properties/subjects/dnsproxy-protocol.ts';
import type { DnsControl, DnsStartOptions, ForgedDatagram, KernelPin, PinEvent } from '../dns-lab.ts';
import { dnsServers, guest, resolverPort, router, sibling, uplink } from '../topology.ts';
import type { FrameSender } from './capture.ts';
import type { DnsChild } from './dns-child.ts';
import type { Namespace } from './namespace.ts';
import { PinSets } from './pin-sets.ts';
import type { Planted } from './planted.ts';
import type { Reactor } from './reactor.ts';
import { ScriptedServer } from './scripted-server.ts';

/** What the control needs of its pod. */
export interface DnsSurroundings {
  readonly reactor: Reactor;
  readonly pod: Namespace;
  readonly world: Namespace;
  readonly planted: Planted;
  readonly plantedWorld: Planted;
  /** Onto the pod's uplink. */
  readonly sender: FrameSender;
}

/** What it needs of its lab: processes that wait for a pod, and where the subject's datapath keeps pins. */
export interface DnsSubject {
  /** Where the process finds the pod's namespace; null: it is born in it. */
  readonly netns: string | null;
  spare(): DnsChild;
  done(child: DnsChild): void;
  setsOf(tap: string): PinSetNames;
}

const usualFloorSeconds = 30;

/** In a frame with IPv4 and UDP, both without options. */
const toPortAt = 14 + 20 + 2;
const checksumAt = 14 + 20 + 6;

function forged({ from, to, data }: ForgedDatagram): Buffer {
  const ends = { from: from.address, to: to.address };
  const datagram = udp(ends, { fromPort: from.port, toPort: to.port }, data);
  const framed = packet(ends, protocols.udp, datagram);
  return ethernet({ from: router.mac, to: uplink.mac }, etherTypes.ipv4, framed);
}

const taps = [guest.tap, sibling.tap];

export class NamespaceDns implements DnsControl {
  readonly servers: readonly ScriptedServer[];
  readonly #around: DnsSurroundings;
  readonly #subject: DnsSubject;
  readonly #sets: PinSets;
  #child: DnsChild | null = null;

  constructor(around: DnsSurroundings, subject: DnsSubject) {
    this.#around = around;
    this.#subject = subject;
    const { reactor, world, pod, planted, plantedWorld } = around;
    // The lab's own resolver and upstream make room.
    planted.close(resolverPort);
    plantedWorld.close(resolverPort);
    const there = world.run('ip', ['-o', 'addr', 'show', 'dev', 'lo']);
    for (const { address } of dnsServers) {
      if (!there.includes(`${address}/`)) world.run('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
    }
    this.servers = dnsServers.map((place) => new ScriptedServer(reactor, world, place));
    this.#sets = new PinSets(pod, () => taps.map((tap) => ({ tap, sets: subject.setsOf(tap) })));
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get pinEvents(): readonly PinEvent[] {
    return this.#sets.events;
  }

  /** What the proxy wrote to stderr. */
  get said(): string {
    return this.#child?.said ?? '';
  }

  #running(): DnsChild {
    if (this.#child === null) throw new Error('the DNS proxy was not started');
    return this.#child;
  }

  async start({ ttlFloorSeconds = usualFloorSeconds }: DnsStartOptions = {}): Promise<void> {
    const child = this.#subject.spare();
    this.#child = child;
    const { netns } = this.#subject;
    await child.order({ do: 'start', netns, upstreams: dnsServers, ttlFloorSeconds });
  }

  async attach({ tap, ipv4, ipv6 }: SandboxPlace, policy: DnsPolicyOrder): Promise<void> {
    const resolvers = [ipv4.resolver, ...(ipv6 === null ? [] : [ipv6.resolver])];
    const listen = resolvers.map((address) => ({ address, port: resolverPort }));
    const sets = this.#subject.setsOf(tap);
    await this.#running().order({ do: 'attach', sandbox: { tap, listen, policy, sets } });
  }

  async policy(tap: string, policy: DnsPolicyOrder): Promise<void> {
    await this.#running().order({ do: 'policy', tap, policy });
  }

  async detach(tap: string): Promise<void> {
    await this.#running().order({ do: 'detach', tap });
  }

  async metrics(): Promise<string> {
    return (await this.#running().order({ do: 'metrics' })).metrics ?? '';
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
    this.#child = null;
  }

  pins(tap?: string): KernelPin[] {
    return this.#sets.now().filter((pin) => tap === undefined || pin.tap === tap);
  }

  shrinkSet(tap: string, family: 'ipv4' | 'ipv6', size: number): void {
    const { table, [family]: set } = this.#subject.setsOf(tap);
    replaceSet(this.#around.pod, table, set, family, size);
  }

  fillSet(tap: string, addresses: readonly string[]): void {
    const { table, ipv4 } = this.#subject.setsOf(tap);
    const elements = addresses.map((address) => `${address} . tcp . 9 timeout 300s`);
    this.#around.pod.run(
      'nft',
      ['-f', '-'],
      `add element inet ${table} ${ipv4} { ${elements.join(', ')} }\n`,
    );
  }

  worldHas(prefixes: readonly string[]): void {
    for (const prefix of prefixes) {
      const family = prefix.includes(':') ? ['-6'] : [];
      this.#around.world.run('ip', [...family, 'route', 'replace', 'local', prefix, 'dev', 'lo']);
    }
  }

  forge(datagrams: readonly ForgedDatagram[]): void {
    for (const datagram of datagrams) this.#around.sender.send(forged(datagram));
  }

  sprayPorts(datagram: ForgedDatagram, ports: readonly number[]): void {
    const frame = forged(datagram);
    // No checksum at all (RFC 768): one frame serves every port.
    frame.writeUInt16BE(0, checksumAt);
    for (const port of ports) {
      frame.writeUInt16BE(port, toPortAt);
      this.#around.sender.send(frame);
    }
  }

  drain(): void {
    this.#sets.drain();
  }

  /** The process goes back for the next pod, unless it is broken. */
  async close(): Promise<void> {
    this.#sets.close();
    for (const server of this.servers) server.kill();
    const child = this.#child;
    if (child === null || !child.alive) return;
    try {
      await child.order({ do: 'stop' });
      this.#subject.done(child);
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      process.stderr.write(`a DNS proxy could not leave its pod: ${why}\n`);
      await child.kill();
    }
  }
}

/** A set in use cannot be changed: the rules that name it go first, and nothing passes by it any more. */
function replaceSet(pod: Namespace, table: string, set: string, family: 'ipv4' | 'ipv6', size: number): void {
  const commands: string[] = [];
  let chain = '';
  for (const line of pod.run('nft', ['-a', 'list', 'table', 'inet', table]).split('\n')) {
    chain = /^\s*chain (\S+) \{/.exec(line)?.[1] ?? chain;
    const handle = /# handle (\d+)$/.exec(line)?.[1];
    if (handle !== undefined && line.includes(`@${set} `)) {
      commands.push(`delete rule inet ${table} ${chain} handle ${handle}`);
    }
  }
  commands.push(`delete set inet ${table} ${set}`);
  const type = `${family}_addr . inet_proto . inet_service`;
  if (size > 0) commands.push(`add set inet ${table} ${set} { type ${type}; flags timeout; size ${size}; }`);
  pod.run('nft', ['-f', '-'], `${commands.join('\n')}\n`);
}
