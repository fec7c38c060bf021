/**
 * The host of `vulnerable` and `published`: what their `activation-step` decides, done on a real VM. The reference's is
 * `Activation`, and both are driven alike.
 * Invariant: the gate that is carried out is the subject's own; nothing is added to it.
 */
import { randomBytes } from 'node:crypto';
import type { activationStep } from '#properties/protocol/activation-step.ts';
import type { Bound, InputOf, OutputOf } from '#properties/protocol/decision.ts';
import { loadSubject } from '#properties/subjects/load-subject.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { maxResponseLineOctets } from '#reference/contract/reseed.ts';
import type { Delivery } from '#reference/decisions/activation-step.ts';
import type { ActivatedFork, ForkToActivate } from '#reference/fork-engine/activation.ts';
import { ControlChannel } from '#reference/fork-engine/control-channel.ts';

type Event = InputOf<typeof activationStep>['event'];
type Action = OutputOf<typeof activationStep>['actions'][number];

/** What both hosts are to an attack. */
export interface ForkHost {
  /** Rejects when the gate refuses; the fork is reaped then. */
  activate(fork: ForkToActivate): Promise<Pick<ActivatedFork, 'generation' | 'control'>>;
  /** Throws when it is not to be delivered. */
  deliver(id: string, what: Delivery): void;
}

const seedOctets = 32;
const nonceOctets = 32;

export class HistoricHost implements ForkHost {
  readonly #step: Bound<typeof activationStep>;
  readonly #deadlineMs: number;
  #state: unknown = null;
  #generation = 0;

  private constructor(step: Bound<typeof activationStep>, deadlineMs: number) {
    this.#step = step;
    this.#deadlineMs = deadlineMs;
  }

  static async open(name: 'vulnerable' | 'published', deadlineMs: number): Promise<HistoricHost> {
    const subject = await loadSubject(name, ['activation-step']);
    const config = { deadlineMs, requireWitness: false, maxForks: 256 };
    return new HistoricHost(subject.decide('activation-step', config), deadlineMs);
  }

  #decide(event: Event): readonly Action[] {
    const { state, actions } = this.#step({ state: this.#state, event });
    this.#state = state;
    return actions;
  }

  async activate({
    vm,
    source,
    reap,
  }: ForkToActivate): Promise<Pick<ActivatedFork, 'generation' | 'control'>> {
    const fork = vm.id;
    this.#generation = Math.max(this.#generation, source.generation) + 1;
    const generation = this.#generation;
    const control = new ControlChannel(vm.channel('control'));
    const actions = this.#decide({
      kind: 'fork',
      fork,
      snapshot: source.digest,
      generation,
      seed: randomBytes(seedOctets).toString('hex'),
      nonce: randomBytes(nonceOctets).toString('hex'),
      hostWallClockNanos: Date.now() * 1e6,
    });
    const notify = actions.find((action) => action.kind === 'notify-forked');
    if (notify === undefined) throw new Error('a host that notifies nobody');
    const event = await this.#response(control, fork, notify.message);
    if (!this.#decide(event).some(({ kind }) => kind === 'reap')) return { generation, control };
    control.close();
    await reap();
    throw new CodedError('fork-refused', `${fork} was refused`, 'fork again');
  }

  /** The guest's line, or that there was none in time. */
  async #response(
    control: ControlChannel,
    fork: string,
    message: Extract<Action, { kind: 'notify-forked' }>['message'],
  ): Promise<Event> {
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => late.resolve(null), this.#deadlineMs);
    const asked = control.ask({ method: 'notify_forked', ...message }, maxResponseLineOctets);
    try {
      const answer = await Promise.race([asked.catch(() => null), late.promise]);
      if (answer === null) return { kind: 'deadline', fork };
      return { kind: 'response', fork, line: answer.line, elapsedMs: answer.elapsedMs, witness: null };
    } finally {
      clearTimeout(timer);
    }
  }

  deliver(fork: string, what: Delivery): void {
    const actions = this.#decide({ kind: 'deliver', fork, what });
    if (actions.some(({ kind }) => kind === 'deliver')) return;
    throw new CodedError('not-released', `${what} asked for in ${fork}`, 'wait until it is ready');
  }
}
