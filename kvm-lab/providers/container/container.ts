/**
 * The lab with the pod in a real container: drop ALL, NET_ADMIN alone, the engine's seccomp profile. The harness
 * stays outside as root: it makes the uplink, is the world, and holds the guests' ends of the taps.
 * Invariant: a container serves one pod, and no other after it.
 */
import type { DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import { DatapathChild } from '../netns/datapath-child.ts';
import { NamespacePod } from '../netns/husk-pod.ts';
import { Namespace } from '../netns/namespace.ts';
import { Reactor } from '../netns/reactor.ts';
import type { NetworkLab } from '../network-lab.ts';
import { HuskContainer } from './husk-container.ts';
import { huskImage } from './husk-image.ts';

export class ContainerLab implements NetworkLab {
  readonly name = 'container';
  readonly #subject: DatapathSubject;
  readonly #engine: Engine;
  readonly #image: string;
  readonly #reactor = new Reactor();
  /** Started while a test still has its window: the next pod's. */
  #next: Promise<HuskContainer> | null = null;
  readonly #leaving = new Set<Promise<void>>();

  constructor(subject: DatapathSubject, engine: Engine, image: string = huskImage()) {
    this.#subject = subject;
    this.#engine = engine;
    this.#image = image;
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
    const pod = new ContainerPod(this.#reactor, namespace, source, container, () => this.#leave(container));
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

export class ContainerPod extends NamespacePod {
  readonly container: HuskContainer;
  readonly #leave: () => void;

  constructor(
    reactor: Reactor,
    namespace: Namespace,
    source: ConstructorParameters<typeof NamespacePod>[2],
    container: HuskContainer,
    leave: () => void,
  ) {
    super(reactor, namespace, source, null);
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
