/**
 * The lab with the pod in a real container: drop ALL, NET_ADMIN alone, the engine's seccomp profile. The harness
 * stays outside as root: it makes the uplink, is the world, and holds the guests' ends of the taps.
 * Invariant: a container serves one pod, and no other after it.
 */
import type { DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import type { DnsForm, DnsLab } from '../dns-lab.ts';
import type { DatapathSource } from '../netns/child-datapath.ts';
import { DatapathChild } from '../netns/datapath-child.ts';
import { DnsChild } from '../netns/dns-child.ts';
import type { DnsSubject } from '../netns/dns-control.ts';
import { NamespacePod } from '../netns/husk-pod.ts';
import { Namespace } from '../netns/namespace.ts';
import { dnsSubjectOf } from '../netns/netns.ts';
import { Reactor } from '../netns/reactor.ts';
import { pinSetNames } from '../pin-set-names.ts';
import { HuskContainer } from './husk-container.ts';
import { huskImage } from './husk-image.ts';

export interface ContainerLabOptions {
  /** Another than the lab's own. */
  readonly image?: string | undefined;
  /** Of the DNS proxy: the reference with that line changed. */
  readonly dnsForm?: DnsForm;
}

export class ContainerLab implements DnsLab {
  readonly name = 'container';
  readonly #subject: DatapathSubject;
  readonly #engine: Engine;
  readonly #image: string;
  readonly #dnsForm: DnsForm;
  readonly #reactor = new Reactor();
  /** Started while a test still has its window: the next pod's. */
  #next: Promise<HuskContainer> | null = null;
  readonly #leaving = new Set<Promise<void>>();

  constructor(
    subject: DatapathSubject,
    engine: Engine,
    { image = huskImage(), dnsForm = {} }: ContainerLabOptions = {},
  ) {
    this.#subject = subject;
    this.#engine = engine;
    this.#image = image;
    this.#dnsForm = dnsForm;
  }

  lacks(): null {
    return null;
  }

  #start(): Promise<HuskContainer> {
    const starting = HuskContainer.start(this.#image);
    // Whoever takes it hears of the failure; until then it is nobody's.
    starting.catch(() => undefined);
    return starting;
  }

  async freshPod(): Promise<ContainerPod> {
    const taken = this.#next ?? this.#start();
    this.#next = this.#start();
    const container = await taken;
    try {
      return await this.#podIn(container);
    } catch (error) {
      this.#leave(container);
      throw error;
    }
  }

  async #podIn(container: HuskContainer): Promise<ContainerPod> {
    const first = container.startDatapath(this.#subject, this.#engine);
    let waiting: typeof first | null = first;
    const next = () => {
      const process = waiting ?? container.startDatapath(this.#subject, this.#engine);
      waiting = null;
      return new DatapathChild(process);
    };
    const namespace = Namespace.at(`/proc/${container.pid}/ns/net`);
    const source = { netns: null, guestSide: null, guests: null, next, done: () => undefined };
    const subject = dnsSubjectOf(this.#subject);
    const dns = {
      netns: null,
      spare: () => new DnsChild(container.startDnsProxy(subject, this.#dnsForm)),
      done: () => undefined,
      setsOf: (tap: string) => pinSetNames(subject, tap),
    };
    const leave = () => this.#leave(container);
    const pod = new ContainerPod(this.#reactor, namespace, source, { dns, container, leave });
    await first.started();
    await pod.datapath.enter();
    await pod.settled();
    return pod;
  }

  #leave(container: HuskContainer): void {
    const leaving: Promise<void> = container.remove().catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    });
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }

  async close(): Promise<void> {
    this.#reactor.stop();
    const last = await this.#next?.catch(() => null);
    this.#next = null;
    if (last != null) this.#leave(last);
    await Promise.all(this.#leaving);
  }
}

interface ContainerParts {
  readonly dns: DnsSubject;
  readonly container: HuskContainer;
  readonly leave: () => void;
}

export class ContainerPod extends NamespacePod {
  readonly container: HuskContainer;
  readonly #leave: () => void;

  constructor(
    reactor: Reactor,
    namespace: Namespace,
    source: DatapathSource,
    { dns, container, leave }: ContainerParts,
  ) {
    super(reactor, namespace, source, dns);
    this.container = container;
    this.#leave = leave;
  }

  override get processes(): readonly number[] {
    return [this.container.pid, ...super.processes];
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      this.#leave();
    }
  }
}
