/** The datapath of one pod: a subject's process in the pod's namespace, and the taps it made. */
import type { PinOrder, PolicyOrder, SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { DatapathControl, GuestEnd, GuestSource, OnStep } from '../network-lab.ts';
import { pod } from '../topology.ts';
import { openWire } from './capture.ts';
import type { DatapathChild } from './datapath-child.ts';
import { TapEnd } from './guest-end.ts';
import { closeFd, copyDescriptor, openTap, tapNameOf } from './kernel-calls.ts';
import type { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';

/** Where the processes of a pod's datapath come from. */
export interface DatapathSource {
  /** One that has not served this pod: at first, and after each that was killed. */
  next(): DatapathChild;
  /** Done with this pod, and in order. */
  done(child: DatapathChild): void;
  /** Where the process finds the pod's namespace; null: it is born in it. */
  readonly netns: string | null;
  /** Where veths stand for taps: the namespace of their other ends. */
  readonly guestSide: Namespace | null;
  /** null: the harness itself is the guest. */
  readonly guests: GuestSource | null;
}

export class ChildDatapath implements DatapathControl {
  readonly #reactor: Reactor;
  readonly #namespace: Namespace;
  readonly #source: DatapathSource;
  readonly #ends = new Map<string, GuestEnd>();
  #child: DatapathChild;

  constructor(reactor: Reactor, namespace: Namespace, source: DatapathSource) {
    this.#reactor = reactor;
    this.#namespace = namespace;
    this.#source = source;
    this.#child = source.next();
  }

  get pid(): number {
    return this.#child.pid;
  }

  get machines(): readonly number[] {
    return [...this.#ends.values()].flatMap(({ machine }) => machine ?? []);
  }

  /** To be called once before anything else. */
  async enter(): Promise<void> {
    await this.#child.order({
      do: 'enter',
      netns: this.#source.netns,
      guestSide: this.#source.guestSide?.path ?? null,
      pod,
    });
  }

  async open(network: SandboxPlace, policy: PolicyOrder, onStep?: OnStep): Promise<GuestEnd> {
    const { fd = null } = await this.#stepped(
      () => this.#child.order({ do: 'open', network, policy }, onStep),
      onStep,
    );
    const held = this.#ends.get(network.tap);
    const end =
      held ??
      (await this.#hold(
        network,
        fd === null ? this.#byName(network.tap) : copyDescriptor(this.#child.pid, fd),
      ));
    if (fd !== null) await this.#child.order({ do: 'handed', fd });
    return end;
  }

  async #hold(network: SandboxPlace, fd: number): Promise<GuestEnd> {
    const { guests } = this.#source;
    if (guests === null) return this.#take(network, fd);
    try {
      const end = await guests.behind(fd, network);
      this.#ends.set(network.tap, end);
      return end;
    } finally {
      closeFd(fd);
    }
  }

  #take(network: SandboxPlace, fd: number): TapEnd {
    const { guestSide } = this.#source;
    const goes = () => void guestSide?.try('ip', ['link', 'del', 'dev', network.tap]);
    const end = new TapEnd(this.#reactor, fd, network, goes);
    this.#ends.set(network.tap, end);
    return end;
  }

  #byName(tap: string): number {
    const { guestSide } = this.#source;
    if (guestSide !== null) return guestSide.within(() => openWire(tap));
    return this.#namespace.within(() => openTap(tap));
  }

  grab(network: SandboxPlace): GuestEnd | null {
    const held = this.#ends.get(network.tap);
    if (held !== undefined) return held;
    // Where a VMM has the other end of taps, it is handed them when they stand.
    if (this.#source.guests !== null) return null;
    for (const fd of this.#child.tapDescriptors()) {
      const copy = copyDescriptor(this.#child.pid, fd);
      if (tapNameOf(copy) === network.tap) return this.#take(network, copy);
      closeFd(copy);
    }
    const there = this.#namespace.try('ip', ['link', 'show', 'dev', network.tap]).status === 0;
    return there ? this.#take(network, this.#byName(network.tap)) : null;
  }

  /** What guests were told to send before is on the wire before what comes now. */
  async #sent(): Promise<void> {
    await Promise.all([...this.#ends.values()].map((end) => end.sent()));
  }

  async change(tap: string, policy: PolicyOrder, onStep?: OnStep): Promise<void> {
    await this.#sent();
    await this.#stepped(() => this.#child.order({ do: 'change', tap, policy }, onStep), onStep);
  }

  async pin(pins: readonly PinOrder[]): Promise<void> {
    await this.#sent();
    await this.#child.order({ do: 'pin', pins });
  }

  async close(tap: string, onStep?: OnStep): Promise<void> {
    await this.#sent();
    await this.#stepped(() => this.#child.order({ do: 'close', tap }, onStep), onStep);
    await this.#ends.get(tap)?.close();
    this.#ends.delete(tap);
  }

  async #stepped<Result>(work: () => Promise<Result>, onStep: OnStep | undefined): Promise<Result> {
    if (onStep === undefined) return work();
    await this.#child.order({ do: 'step', on: true });
    const result = await work();
    await this.#child.order({ do: 'step', on: false });
    return result;
  }

  async restart(): Promise<void> {
    await this.#child.kill();
    await this.#closeEnds('now');
    this.#child = this.#source.next();
    await this.enter();
  }

  async removeTap(tap: string): Promise<void> {
    // A veth went with the VMM's end already.
    if (this.#source.guestSide === null) this.#namespace.run('ip', ['link', 'del', 'dev', tap]);
    else this.#namespace.try('ip', ['link', 'del', 'dev', tap]);
  }

  async #closeEnds(when: 'now' | 'aside'): Promise<void> {
    const ends = [...this.#ends.values()];
    this.#ends.clear();
    await Promise.all(ends.map((end) => (end instanceof TapEnd ? end.close(when) : end.close())));
  }

  /** The process goes back for the next pod, unless it is broken. */
  async end(): Promise<void> {
    await this.#closeEnds('aside');
    const child = this.#child;
    if (!child.alive) return;
    try {
      await child.order({ do: 'leave' });
      this.#source.done(child);
    } catch (error) {
      process.stderr.write(
        `a datapath could not leave its pod: ${error instanceof Error ? error.message : error}\n`,
      );
      await child.kill();
    }
  }
}
