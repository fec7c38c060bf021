/**
 * What the parts of a run share: the forks, what was said so far, and a store of samples as a host has it.
 * Invariant: a sibling is told once; nothing is open when the stage is closed.
 */
import { channelPorts } from '#reference/contract/guest-protocol.ts';
import type { Insertion } from '#reference/decisions/reseed-gate.ts';
import type { Finding } from '../finding.ts';
import { Pace } from '../pace.ts';
import { AgentSession, type Ground } from './agent-session.ts';
import { parseEndpoint } from './endpoint.ts';
import { Forks } from './forks.ts';
import { Reader, type Reading } from './reading.ts';
import type { Settings } from './settings.ts';
import { type AttackedFork, attackFork, frozen, type Telling, type ToldFork, tellFork } from './told-fork.ts';
import { Unreachable } from './unreachable.ts';

interface Closable {
  close(): void;
}

/** So that the ones below and above it were never told. */
const generationGap = 3;
const maxHeardOctets = 8 << 20;

export class Stage implements Telling {
  readonly settings: Settings;
  readonly pace: Pace;
  readonly ground: Ground;
  readonly forks: Forks;
  readonly reader: Reader;
  /** Everything that agents said, the first of it. */
  readonly heard: Buffer[] = [];
  readonly seeds: string[] = [];
  readonly #chosen: ReadonlySet<string>;
  readonly #samples = new Set<string>();
  readonly #open: Closable[] = [];
  readonly #outlived: AgentSession[] = [];
  #spentSiblings = 0;
  /** Why there are fewer siblings than were asked for; null: nothing went wrong. */
  siblingFault: Unreachable | null = null;
  /** Of the first sibling, once lines have broken it: it is not waited for again. */
  lineFault: Finding | null = null;
  #heardOctets = 0;
  #lastGeneration = 0;
  #siblings: Promise<readonly ToldFork[]> | null = null;
  #attacked: Promise<AttackedFork | null> | null = null;
  #plain: Promise<ReadonlyMap<string, readonly Reading[]>> | null = null;
  #untold: Promise<ReadonlyMap<string, readonly Reading[]>> | null = null;

  /** @param chosen ids of the parts that are asked */
  constructor(settings: Settings, signal: AbortSignal, chosen: ReadonlySet<string>) {
    const { perSecond, durationMs, timeoutMs } = settings;
    this.settings = settings;
    this.pace = new Pace(perSecond, durationMs, signal);
    this.ground = {
      ...{ pace: this.pace, timeoutMs },
      listen: (octets) => this.#listen(octets),
      seeded: (seed) => void this.seeds.push(seed),
    };
    this.forks = new Forks(settings, this.ground, signal);
    this.reader = new Reader(settings, this.forks);
    this.#chosen = chosen;
  }

  #listen(octets: Buffer): void {
    if (this.#heardOctets > maxHeardOctets) return;
    this.#heardOctets += octets.length;
    this.heard.push(octets);
  }

  isChosen(id: string): boolean {
    return this.#chosen.has(id);
  }

  get commands(): readonly string[] {
    const { read, readProcess } = this.settings;
    return [...read, ...readProcess];
  }

  nextGeneration(seen: number): number {
    this.#lastGeneration = Math.max(this.#lastGeneration, seen) + generationGap;
    return this.#lastGeneration;
  }

  insert(keys: readonly string[]): Insertion {
    if (keys.some((key) => this.#samples.has(key))) return 'present';
    for (const key of keys) this.#samples.add(key);
    return 'inserted';
  }

  opened(what: Closable): void {
    this.#open.push(what);
  }

  /** As many as there are, up to --siblings; told one after the other. @throws Unreachable */
  siblings(): Promise<readonly ToldFork[]> {
    this.#siblings ??= this.#tellSiblings();
    return this.#siblings;
  }

  async #tellSiblings(): Promise<readonly ToldFork[]> {
    const told: ToldFork[] = [];
    while (told.length < this.settings.siblings) {
      const fork = await this.forks.take();
      if (fork === null) break;
      try {
        told.push(await tellFork(this, fork));
      } catch (error) {
        if (!(error instanceof Unreachable) || told.length === 0) throw error;
        this.siblingFault = error;
        break;
      }
    }
    return told;
  }

  /** Forks that have no agent to be told: what each command read of each. */
  plainReadings(): Promise<ReadonlyMap<string, readonly Reading[]>> {
    this.#plain ??= this.#read(this.settings.siblings);
    return this.#plain;
  }

  /** Of two forks that nobody tells anything; none where there are not as many. */
  untoldReadings(): Promise<ReadonlyMap<string, readonly Reading[]>> {
    const spare = this.forks.most - this.forks.taken;
    this.#untold ??= spare < 2 ? Promise.resolve(new Map()) : this.#read(2);
    return this.#untold;
  }

  async #read(count: number): Promise<ReadonlyMap<string, readonly Reading[]>> {
    const readings = new Map<string, Reading[]>(this.commands.map((command) => [command, []]));
    for (let index = 0; index < count; index++) {
      const fork = await this.forks.take();
      if (fork === null) break;
      for (const command of this.commands) {
        readings.get(command)?.push(await this.reader.read(command, fork.n));
      }
    }
    return readings;
  }

  /**
   * An agent to attack, frozen: one that outlived an attack, a fork of its own, or at last a sibling; null:
   * none is left.
   * @throws Unreachable
   */
  async subject(): Promise<AgentSession | null> {
    for (;;) {
      const session = this.#outlived.shift() ?? (await this.#another());
      if (session === null) return null;
      if (session.isClosed) await session.reopen();
      if (await frozen(session, await session.ping())) return session;
    }
  }

  /**
   * The fork whose order is attacked: one of its own, or the first sibling, frozen again; null: it cannot be.
   * @throws Unreachable
   */
  attacked(): Promise<AttackedFork | null> {
    this.#attacked ??= this.#attack();
    return this.#attacked;
  }

  async #attack(): Promise<AttackedFork | null> {
    const [first] = await this.siblings();
    const own = await this.forks.take();
    const fork = own ?? first?.fork;
    if (fork === undefined) return null;
    const session = own === null ? first?.session : await this.forks.agentOf(own);
    if (session === undefined) return null;
    if (own !== null) this.opened(session);
    if (session.isClosed || session.waiting > 0) await session.reopen();
    const ping = await session.ping();
    const isFrozen = await frozen(session, ping);
    if (!isFrozen && own === null) return null;
    const attacked = await attackFork(this, fork, session);
    if (own !== null) this.outlived(session);
    return attacked;
  }

  /** It may be attacked again, should it still be usable. */
  outlived(session: AgentSession): void {
    this.#outlived.push(session);
  }

  async #another(): Promise<AgentSession | null> {
    const fork = await this.forks.take();
    if (fork !== null) {
      const session = await this.forks.agentOf(fork);
      this.opened(session);
      return session;
    }
    const sibling = (await this.siblings())[this.#spentSiblings];
    this.#spentSiblings += 1;
    return sibling?.session ?? null;
  }

  /** @throws Unreachable */
  async unprivileged(text: string): Promise<AgentSession> {
    const endpoint = parseEndpoint('--agent-unprivileged', text, channelPorts.control);
    const session = await AgentSession.open(endpoint, this.ground);
    this.opened(session);
    return session;
  }

  async close(): Promise<void> {
    for (const one of this.#open) one.close();
    await this.forks.close();
  }
}
