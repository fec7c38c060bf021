/**
 * Activates forks: carries out what `activation-step` decides, over the guest's control channel, for the three engines.
 * Invariant: a fork is handed over released, or not at all: whatever goes wrong before, it is reaped first. Seeds and
 * nonces come from the kernel and are in the request alone.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { kernelRandom } from '#reference/base/kernel-random.ts';
import type { Log } from '#reference/base/log.ts';
import type { ForkConfiguration } from '#reference/contract/guest-protocol.ts';
import { maxResponseLineOctets, nonceOctets } from '#reference/contract/reseed.ts';
import type { GeneratorState, RunningVm } from '#reference/contract/vmm-port.ts';
import type { WitnessPort } from '#reference/contract/witness-port.ts';
import {
  type ActivationAction,
  type ActivationConfig,
  type ActivationEvent,
  activationAtStart,
  type Delivery,
  stepActivation,
} from '../decisions/activation-step.ts';
import { type HostWitness, withoutWitness } from '../decisions/reseed-gate.ts';
import type { NoWitness } from '../vmm/witness.ts';
import { ControlChannel, readAnswer } from './control-channel.ts';
import type { Rehearsal } from './rehearsal.ts';

export interface ActivationLimits {
  /** Of each leg: reserve, answer, release. */
  readonly deadlineMs: number;
  /** Refuse forks of snapshots in which the generator's address is not known. */
  readonly requireWitness: boolean;
  /** Running ones included. */
  readonly maxForks: number;
}

export const activationLimits: ActivationLimits = { deadlineMs: 5_000, requireWitness: false, maxForks: 256 };

/** What the gate knows of a snapshot. */
export interface ForkSource {
  readonly digest: string;
  /** null: the VMM cannot read the generator in its forks. */
  readonly generatorAtSnapshot: GeneratorState | null;
  readonly readsGenerator: boolean;
  /** Why it cannot, for the one who is refused for it. */
  readonly noWitness?: NoWitness | null;
  /** The generation that the agent in it has seen; 0: none. */
  readonly generation: number;
}

export interface ForkToActivate {
  readonly vm: RunningVm;
  readonly source: ForkSource;
  readonly configuration?: ForkConfiguration;
  /** Of one that ran before; null: it was just resumed for the first time. */
  readonly rehearsal?: Rehearsal | null;
  /** Ends the VM and takes away everything that was made for it. Idempotent. */
  readonly reap: () => Promise<void>;
}

export interface ActivatedFork {
  readonly generation: number;
  /** Released: what else the guest is asked on it is the engine's. */
  readonly control: ControlChannel;
  readonly signaledProcesses: number;
  /** From being handed in to the gate's verdict, and to the agent's word that it thawed. */
  readonly admittedAfterMs: number;
  readonly releasedAfterMs: number;
}

const seedOctets = 64;
const again: NoWitness = {
  reason: '',
  remedy: 'fork again; if it is refused again, build the template anew',
};

interface Fork extends ForkToActivate {
  readonly config: ActivationConfig;
  readonly control: ControlChannel;
  readonly result: PromiseWithResolvers<ActivatedFork>;
  readonly sinceMs: number;
  generation: number;
  admittedAfterMs: number;
  timer: NodeJS.Timeout | undefined;
  /** What kept the VMM from looking at the generator; null: nothing did. */
  noWitness: NoWitness | null;
  /** Begun once. */
  reaping: Promise<void> | null;
}

export class Activation {
  readonly #store: WitnessPort;
  readonly #limits: ActivationLimits;
  readonly #log: Log;
  readonly #forks = new Map<string, Fork>();
  #state = activationAtStart();

  constructor(store: WitnessPort, log: Log, limits: Partial<ActivationLimits> = {}) {
    this.#store = store;
    this.#log = log;
    this.#limits = { ...activationLimits, ...limits };
  }

  /** Forks that were handed in and are not reaped. */
  get size(): number {
    return this.#forks.size;
  }

  /**
   * From a VM that was just resumed to one that is released. Rejects only after it was reaped.
   * @throws CodedError `fork-refused` with the rule, `fork-not-reaped`, `witness-store-failed`, `witness-store-full`
   */
  async activate(given: ForkToActivate): Promise<ActivatedFork> {
    const { vm, source } = given;
    const { requireWitness } = this.#limits;
    const fork: Fork = {
      ...given,
      config: { ...this.#limits, requireWitness: requireWitness || source.readsGenerator },
      control: given.rehearsal?.control ?? new ControlChannel(vm.channel('control')),
      result: Promise.withResolvers(),
      sinceMs: performance.now(),
      generation: 0,
      admittedAfterMs: 0,
      timer: undefined,
      noWitness: source.noWitness ?? null,
      reaping: null,
    };
    if (this.#forks.has(vm.id)) throw new Error(`${vm.id} is being activated already`);
    this.#forks.set(vm.id, fork);
    // A VM that ends and a guest that breaks the channel's rules are one: there is nobody to be released.
    void vm.ended.then(() => this.#lost(fork, 'the VM has ended'));
    // Whoever calls learns of it, unless there is no generation for it.
    fork.result.promise.catch(() => undefined);
    void fork.control.ended.then(({ message }) => this.#channelEnded(fork, message));
    try {
      fork.generation = await this.#store.nextGeneration(source.digest, source.generation);
    } catch (error) {
      await this.#reap(fork, 'there is no generation for it');
      throw error;
    }
    if (fork.reaping === null) this.#begin(fork);
    return fork.result.promise;
  }

  /** @throws CodedError `not-released` */
  deliver(id: string, what: Delivery): void {
    const actions = this.#decide(this.#forks.get(id)?.config, { kind: 'deliver', fork: id, what });
    if (actions.some(({ kind }) => kind === 'deliver')) return;
    throw new CodedError(
      'not-released',
      `${what} asked for in ${id}, which is not released`,
      'wait until it is ready; a fork that was refused never is',
    );
  }

  /** Reaps it, whatever it is at. Ends when nothing of it is left. @throws CodedError `fork-not-reaped` */
  async end(id: string): Promise<void> {
    const fork = this.#forks.get(id);
    if (fork !== undefined) await this.#gone(fork, 'it was ended');
  }

  #begin(fork: Fork): void {
    const { vm, source, generation } = fork;
    this.#step(fork, {
      kind: 'fork',
      fork: vm.id,
      snapshot: source.digest,
      generation,
      seed: kernelRandom(seedOctets).toString('hex'),
      nonce: kernelRandom(nonceOctets).toString('hex'),
      hostWallClockNanos: Date.now() * 1e6,
    });
  }

  #decide(config: ActivationConfig | undefined, event: ActivationEvent): readonly ActivationAction[] {
    const before = config ?? { ...this.#limits };
    const { state, actions, rule } = stepActivation(before, this.#state, event);
    this.#state = state;
    if (event.kind !== 'deliver') this.#log.debug({ event: event.kind, rule }, 'activation');
    this.#rule = rule;
    return actions;
  }

  /** Of the last step. */
  #rule = '';

  #step(fork: Fork, event: ActivationEvent): void {
    const actions = this.#decide(fork.config, event);
    const rule = this.#rule;
    for (const action of actions) this.#act(fork, action, rule);
  }

  #act(fork: Fork, action: ActivationAction, rule: string): void {
    const { vm } = fork;
    switch (action.kind) {
      case 'arm-deadline':
        clearTimeout(fork.timer);
        fork.timer = setTimeout(() => this.#step(fork, { kind: 'deadline', fork: vm.id }), action.afterMs);
        return;
      case 'insert': {
        const { purpose, snapshot, generation, keys } = action;
        const stored = (answer: Awaited<ReturnType<WitnessPort['insert']>>) =>
          this.#step(fork, { kind: 'stored', fork: vm.id, purpose, answer });
        this.#store.insert(snapshot, generation, keys).then(stored, (error: unknown) => {
          this.#log.error({ fork: vm.id, err: error }, 'witness store');
          stored('failed');
        });
        return;
      }
      case 'notify-forked':
        this.#ask(fork, { method: 'notify_forked', ...action.message, ...fork.configuration }, (answer) =>
          this.#respond(fork, answer.line, answer.elapsedMs),
        );
        return;
      case 'release':
        fork.admittedAfterMs = performance.now() - fork.sinceMs;
        this.#ask(fork, { method: 'release', ...action.message }, ({ line }) => this.#released(fork, line));
        return;
      case 'reap':
        // Whoever waits learns it from the result.
        this.#reap(fork, rule).catch(() => undefined);
        return;
      case 'deliver':
      case 'deny':
        return;
    }
  }

  #ask(
    fork: Fork,
    request: Parameters<ControlChannel['ask']>[0],
    then: (answer: Awaited<ReturnType<ControlChannel['ask']>>) => unknown,
  ): void {
    fork.control.ask(request, maxResponseLineOctets).then(then, (error: unknown) => {
      this.#lost(fork, error instanceof Error ? error.message : 'its channel failed');
    });
  }

  async #respond(fork: Fork, line: string, elapsedMs: number): Promise<void> {
    const witness = await this.#witness(fork);
    this.#step(fork, { kind: 'response', fork: fork.vm.id, line, elapsedMs, witness });
  }

  /** null: it could not be read. */
  async #witness(fork: Fork): Promise<HostWitness | null> {
    const { vm, source, rehearsal } = fork;
    if (!source.readsGenerator) return null;
    const before = [source.generatorAtSnapshot];
    // What its kernel renewed while it was rehearsed, it did not renew by this seed.
    if (rehearsal !== null && rehearsal !== undefined) before.push(rehearsal.generator);
    try {
      const now = await vm.generator();
      if (now === null) return null;
      const changed = before.every(
        (one) => one !== null && now.generation !== one.generation && now.keySha256 !== one.keySha256,
      );
      return { changed, digest: now.keySha256 };
    } catch (error) {
      this.#log.error({ fork: vm.id, err: error }, 'the generator of a fork cannot be read');
      const reason = error instanceof Error ? error.message : String(error);
      fork.noWitness = { reason, remedy: 'see the log, and let the engine read its VMMs' };
      return null;
    }
  }

  #released(fork: Fork, line: string): void {
    const { vm, generation, sinceMs, admittedAfterMs, control } = fork;
    const answer = line.length > maxResponseLineOctets ? null : readAnswer(line);
    this.#step(fork, { kind: 'released', fork: vm.id, generation, ok: answer?.ok === true });
    if (fork.reaping !== null) return;
    clearTimeout(fork.timer);
    const signaled = answer?.signaled_processes;
    fork.result.resolve({
      generation,
      control,
      signaledProcesses: typeof signaled === 'number' ? signaled : 0,
      admittedAfterMs,
      releasedAfterMs: performance.now() - sinceMs,
    });
  }

  /** A guest that was released may close or break its channel: that is its own loss. */
  #channelEnded(fork: Fork, message: string): void {
    const known = this.#state.forks[fork.vm.id];
    if (known?.phase === 'released') return;
    this.#lost(fork, message);
  }

  /** Nobody asked for it: what is left of it is in the log. */
  #lost(fork: Fork, why: string): void {
    this.#gone(fork, why).catch(() => undefined);
  }

  async #gone(fork: Fork, why: string): Promise<void> {
    if (fork.reaping === null) this.#decide(fork.config, { kind: 'gone', fork: fork.vm.id });
    await this.#reap(fork, why);
  }

  #reap(fork: Fork, rule: string): Promise<void> {
    fork.reaping ??= this.#takeAway(fork, rule);
    return fork.reaping;
  }

  async #takeAway(fork: Fork, rule: string): Promise<void> {
    const { id } = fork.vm;
    clearTimeout(fork.timer);
    fork.control.close();
    try {
      await fork.reap();
    } catch (cause) {
      const error = new CodedError(
        'fork-not-reaped',
        `${id} was refused or ended (${rule}), and something of it is left`,
        'see what the log names; restart the engine: it takes away what is left',
        { cause },
      );
      this.#log.error({ fork: id, err: error }, 'a fork was not reaped');
      fork.result.reject(error);
      throw error;
    } finally {
      this.#forks.delete(id);
    }
    this.#log.info({ fork: id, rule }, 'reaped');
    const { reason, remedy } = (rule === withoutWitness ? fork.noWitness : null) ?? again;
    const why = reason === '' ? rule : `${rule}: ${reason}`;
    fork.result.reject(new CodedError('fork-refused', `${id} was refused: ${why}`, remedy));
  }
}
