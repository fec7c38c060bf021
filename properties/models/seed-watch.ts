/**
 * A subject's activation-step with its store, one event at a time, and an eye on every seed: when it is
 * sent, and whether it shows anywhere but in the message to the guest.
 */
import type { Violation } from '../oracles/violation.ts';
import type { activationStep } from '../protocol/activation-step.ts';
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { Subject } from '../subjects/subject.ts';
import { GuestVm, type NotifyRequest } from './guest-vm.ts';
import { KernelGenerator } from './kernel-generator.ts';
import type { WitnessStore } from './witness-store.ts';

export type ActivationEvent = InputOf<typeof activationStep>['event'];
type Action = OutputOf<typeof activationStep>['actions'][number];
export type ForkEvent = Extract<ActivationEvent, { kind: 'fork' }>;

const config: ConfigOf<typeof activationStep> = { deadlineMs: 1000, requireWitness: false, maxForks: 16 };
const snapshotsWallClock = 1_795_000_000_000_000_000;
/** So much of a seed in a text is the seed. */
const tellingDigits = 16;

export interface Sent extends NotifyRequest {
  readonly snapshot: string;
  readonly fork: string;
}

export class SeedWatch {
  violation: Violation | null = null;
  readonly steps: string[] = [];
  /** Every notify_forked that went out, over restarts. */
  readonly sent: Sent[] = [];
  /** Lines that guests would answer with, by fork. */
  readonly answers = new Map<string, string>();
  readonly begun: ForkEvent[] = [];
  /** Inserts that the store has not answered. */
  readonly pending: Extract<Action, { kind: 'insert' }>[] = [];
  lastAnswer: ActivationEvent | null = null;
  rule = '';
  private readonly subject: Subject;
  private readonly store: WitnessStore;
  private readonly admitted = new Set<string>();
  private state: unknown = null;

  constructor(subject: Subject, store: WitnessStore) {
    this.subject = subject;
    this.store = store;
  }

  begin(event: Omit<ForkEvent, 'kind' | 'hostWallClockNanos'>): void {
    const fork: ForkEvent = { kind: 'fork', ...event, hostWallClockNanos: snapshotsWallClock };
    this.begun.push(fork);
    this.send(fork);
  }

  /** The store makes the insert and answers. */
  answer(index: number): void {
    const [insert] = this.pending.splice(index % Math.max(1, this.pending.length), 1);
    if (insert === undefined) return;
    const answer = this.store.insert(insert.snapshot, insert.generation, insert.keys);
    if (answer === 'inserted' && insert.purpose === 'witness') this.admitted.add(insert.fork);
    this.lastAnswer = { kind: 'stored', fork: insert.fork, purpose: insert.purpose, answer };
    this.send(this.lastAnswer);
  }

  restart(): void {
    this.state = null;
    this.pending.length = 0;
    const running = this.begun.map(({ fork, snapshot, generation }) => ({
      fork,
      snapshot,
      generation,
      admitted: this.admitted.has(fork),
    }));
    this.send({ kind: 'restart', running });
  }

  send(event: ActivationEvent): void {
    const { state, actions, rule } = this.subject.decide(
      'activation-step',
      config,
    )({ state: this.state, event });
    this.state = state;
    this.rule = rule;
    this.steps.push(`${event.kind} → ${actions.map(({ kind }) => kind).join(', ') || 'nothing'}`);
    this.watch(
      'the host',
      rule,
      actions.filter(({ kind }) => kind !== 'notify-forked'),
    );
    for (const action of actions) {
      if (action.kind === 'insert') this.pending.push(action);
      if (action.kind === 'notify-forked') this.notify(action.fork, action.message);
    }
  }

  fail(observed: string, required: string, requiredRule: string): void {
    this.violation ??= { observed, observedRule: this.rule, required, requiredRule, steps: this.steps };
  }

  private notify(fork: string, message: NotifyRequest): void {
    const snapshot = this.begun.find((begun) => begun.fork === fork)?.snapshot ?? '';
    const twin = this.sent.find(({ seed }) => seed === message.seed);
    if (twin !== undefined) {
      this.fail(
        `${fork} is sent the seed that ${twin.fork} was sent`,
        'a seed is sent once',
        'findings.md F6: single-use',
      );
    }
    if (message.seed.length < 64 || message.seed === message.nonce) {
      this.fail(
        `${fork} is sent no seed of its own`,
        'a seed of 32 octets or more',
        'system.md: seed(32+ bytes)',
      );
    }
    this.sent.push({ ...message, snapshot, fork });
    this.answers.set(fork, this.answerOf(message));
  }

  /** The subject's own agent takes the message; its words are watched as the host's are. */
  private answerOf(request: NotifyRequest): string {
    const kernel = KernelGenerator.fork('template', this.sent.length, 'jitter', 'working');
    const guest = new GuestVm(this.subject, this.sent.length, request.generation, kernel);
    guest.snapshotted(true);
    let line = '';
    let { actions } = guest.take({ kind: 'notify-forked', request });
    for (let rounds = 0; rounds < 8 && line === ''; rounds++) {
      this.watch(
        'the agent',
        guest.rule,
        actions.filter(({ kind }) => kind !== 'call'),
      );
      const [action] = actions;
      const reply = actions.find((each) => each.kind === 'reply');
      if (reply?.kind === 'reply') line = JSON.stringify(reply.body);
      const outcome = action === undefined ? null : guest.perform(action);
      if (outcome === null) break;
      ({ actions } = guest.take(outcome));
    }
    return line;
  }

  /** No word but the message to the guest holds a seed. */
  private watch(who: string, rule: string, actions: readonly object[]): void {
    const words = rule + (actions.length === 0 ? '' : JSON.stringify(actions));
    for (const { seed, nonce } of this.begun) {
      if (words.includes(seed.slice(0, tellingDigits))) {
        this.fail(
          `${who} tells a seed`,
          'a seed is in the message to the guest alone',
          'system.md: entropy is never logged',
        );
      }
      if (rule.includes(nonce.slice(0, tellingDigits))) {
        this.fail(
          `${who} tells a nonce in its rule`,
          'a rule names no nonce',
          'system.md: entropy is never logged',
        );
      }
    }
  }
}
