/**
 * A template, its forks and their host: drives a subject's agent-step in each guest and its activation-step
 * on the host, every message delivered when its owner says so, and watches what may not happen before the
 * gate.
 */
import type { Violation } from '../oracles/violation.ts';
import type { activationStep } from '../protocol/activation-step.ts';
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { Subject } from '../subjects/subject.ts';
import { type AgentAction, type AgentEvent, GuestVm, type NotifyRequest } from './guest-vm.ts';
import { type Device, KernelGenerator } from './kernel-generator.ts';
import { honestLine, modelProof } from './reseed-guest.ts';
import { WitnessStore } from './witness-store.ts';

type HostEvent = InputOf<typeof activationStep>['event'];
type HostAction = OutputOf<typeof activationStep>['actions'][number];
export type Delivery = Extract<HostAction, { kind: 'deliver' }>['what'];
export type Service = Extract<AgentEvent, { kind: 'request' }>['service'];

/** Who answers in a fork: the subject's own agent, or something else that has the channel. */
export const inhabitants = [
  'agent',
  'lying boolean',
  'says false',
  'silent',
  'one sample',
  'speaks first',
] as const;
export type Inhabitant = (typeof inhabitants)[number];

/** Delivers a message later, in whatever order it likes. */
export type Later = (act: () => void) => void;

/** What happens besides, after so many turns. */
export type Disturbance = { readonly after: number } & (
  | { readonly what: 'deliver'; readonly fork: number; readonly item: Delivery }
  | { readonly what: 'ask the agent'; readonly fork: number; readonly service: Service }
  /** A release that the host did not decide: `by` is added to the right generation. */
  | { readonly what: 'stray release'; readonly fork: number; readonly by: number }
  | { readonly what: 'deadline'; readonly fork: number }
  | { readonly what: 'notify again'; readonly fork: number }
  | { readonly what: 'kill -9' }
);

export interface ForkScript {
  readonly forks: readonly { readonly inhabitant: Inhabitant; readonly device: Device }[];
  readonly freezeWorks: boolean;
  readonly storeCapacity: number;
  /** At-least-once delivery between host and store. */
  readonly storeAnswersTwice: boolean;
  readonly disturbances: readonly Disturbance[];
}

const config: ConfigOf<typeof activationStep> = { deadlineMs: 1000, requireWitness: false, maxForks: 64 };
const snapshot = 'sha256:template';
const wallClockNanos = 1_795_000_000_000_000_000;
const services: Readonly<Record<Delivery, Service>> = {
  token: 'configure',
  secrets: 'configure',
  exec: 'exec',
  files: 'files',
};

export class ForkWorld {
  violation: Violation | null = null;
  /** false: go on whatever happens, for the positive control. */
  watching = true;
  readonly steps: string[] = [];
  /** What reached guests, `fork 0: token`. */
  readonly delivered: string[] = [];
  /** Requests that an agent served. */
  served = 0;
  private readonly subject: Subject;
  private readonly script: ForkScript;
  private readonly turn: Later;
  private readonly store: WitnessStore;
  private readonly guests: GuestVm[] = [];
  private readonly provedToHost = new Set<number>();
  private readonly witnessHeld = new Set<number>();
  private hostState: unknown = null;
  private epoch = 0;

  constructor(subject: Subject, script: ForkScript, turn: Later) {
    this.subject = subject;
    this.script = script;
    this.turn = turn;
    this.store = new WitnessStore(script.storeCapacity);
  }

  /** Takes the snapshot and starts every fork; the rest happens in turns. */
  start(): void {
    for (const [index, { inhabitant, device }] of this.script.forks.entries()) {
      const kernel = KernelGenerator.fork(snapshot, index, 'jitter', device);
      const guest = new GuestVm(this.subject, index, index + 1, kernel);
      // Each fork begins as the template was when it was snapshotted: same events, same agent.
      if (!guest.snapshotted(this.script.freezeWorks)) return;
      this.guests.push(guest);
      if (guest.workload === 'running') {
        const read = kernel.read().slice(0, 16);
        this.fail(
          guest.rule,
          `a workload of fork ${index} runs before the reseed: it reads ${read}…, as its siblings do`,
        );
        if (this.violation !== null) return;
      }
      if (inhabitant === 'speaks first') this.respond(index, '{"ok":true,"reseeded_rng":true}');
      this.later(`fork ${index} is there`, () => this.begin(index));
    }
    for (const disturbance of this.script.disturbances) this.disturb(disturbance, disturbance.after);
  }

  private later(what: string, act: () => void): void {
    this.turn(() => {
      if (this.violation !== null) return;
      this.steps.push(what);
      act();
    });
  }

  private fail(rule: string, observed: string): void {
    if (!this.watching) return;
    this.violation ??= {
      observed,
      observedRule: rule,
      required: 'reseed, gate, release; then thaw, signal, serve and deliver',
      requiredRule: 'findings.md F6 Reference: only on the host’s release after the gate',
      steps: this.steps,
    };
  }

  private disturb(disturbance: Disturbance, after: number): void {
    if (after > 0) this.turn(() => this.disturb(disturbance, after - 1));
    else this.later(describeDisturbance(disturbance), () => this.happen(disturbance));
  }

  private happen(disturbance: Disturbance): void {
    if (disturbance.what === 'kill -9') {
      this.kill();
      return;
    }
    const guest = this.guests[disturbance.fork % this.guests.length];
    if (guest === undefined || !guest.alive) return;
    const fork = nameOf(guest.index);
    if (disturbance.what === 'deliver') this.host({ kind: 'deliver', fork, what: disturbance.item });
    if (disturbance.what === 'deadline') this.host({ kind: 'deadline', fork });
    if (disturbance.what === 'ask the agent') {
      this.inGuest(guest, { kind: 'request', service: disturbance.service });
    }
    // After its answer the agent cannot know that the host did not mean it.
    if (disturbance.what === 'stray release' && !(disturbance.by === 0 && guest.answered)) {
      this.inGuest(guest, { kind: 'release', generation: guest.generation + disturbance.by });
    }
    if (disturbance.what === 'notify again' && guest.notified !== null) {
      this.inGuest(guest, { kind: 'notify-forked', request: guest.notified });
    }
  }

  private begin(index: number): void {
    const { generation } = this.guests[index] as GuestVm;
    const octet = (value: number) => value.toString(16).padStart(2, '0');
    const [seed, nonce] = [octet(0xa0 + index).repeat(32), octet(0x50 + index).repeat(32)];
    const fork = nameOf(index);
    this.host({ kind: 'fork', fork, snapshot, generation, seed, nonce, hostWallClockNanos: wallClockNanos });
  }

  private kill(): void {
    this.epoch += 1;
    this.hostState = null;
    const running = this.guests
      .filter(({ alive }) => alive)
      .map(({ index, generation }) => ({
        fork: nameOf(index),
        snapshot,
        generation,
        admitted: this.witnessHeld.has(index),
      }));
    this.host({ kind: 'restart', running });
  }

  private host(event: HostEvent): void {
    const { state, actions, rule } = this.subject.decide(
      'activation-step',
      config,
    )({ state: this.hostState, event });
    this.hostState = state;
    for (const action of actions) this.doOnHost(action, rule);
  }

  private doOnHost(action: HostAction, rule: string): void {
    const index = Number(action.fork.slice('fork-'.length));
    const guest = this.guests[index];
    if (guest === undefined) return;
    const passed = this.provedToHost.has(index) && this.witnessHeld.has(index);
    if (action.kind === 'reap') guest.alive = false;
    if (action.kind === 'insert') this.insert(action, index);
    if (action.kind === 'notify-forked') {
      this.later(`fork ${index} is notified`, () => this.notify(guest, action.message));
    }
    if (action.kind === 'release') {
      if (!passed) this.fail(rule, `fork ${index} is released before the gate has passed it`);
      const event = { kind: 'release', generation: action.message.generation } as const;
      this.later(`fork ${index} gets its release`, () => this.inGuest(guest, event));
    }
    if (action.kind === 'deliver') {
      if (!passed) this.fail(rule, `${action.what} for fork ${index} before the gate has passed it`);
      this.delivered.push(`fork ${index}: ${action.what}`);
      const event = { kind: 'request', service: services[action.what] } as const;
      this.later(`fork ${index} gets ${action.what}`, () => this.inGuest(guest, event));
    }
  }

  private insert(action: Extract<HostAction, { kind: 'insert' }>, index: number): void {
    const { epoch } = this;
    this.later(`the store is asked to ${action.purpose} for fork ${index}`, () => {
      // The store outlives the host that asked: the insert is made, its answer lost.
      const answer = this.store.insert(action.snapshot, action.generation, action.keys);
      if (answer === 'inserted' && action.purpose === 'witness') this.witnessHeld.add(index);
      const stored = { kind: 'stored', fork: action.fork, purpose: action.purpose, answer } as const;
      for (let times = this.script.storeAnswersTwice ? 2 : 1; times > 0; times--) {
        this.later(`the store says ${answer} for fork ${index}`, () => {
          if (this.epoch === epoch) this.host(stored);
        });
      }
    });
  }

  private notify(guest: GuestVm, request: NotifyRequest): void {
    guest.notified = request;
    const { inhabitant } = this.script.forks[guest.index] ?? {};
    if (inhabitant === 'agent') this.inGuest(guest, { kind: 'notify-forked', request });
    const line = inhabitant === undefined ? null : lineOf(inhabitant, request);
    if (line !== null) this.respond(guest.index, line);
  }

  private respond(index: number, line: string): void {
    const guest = this.guests[index] as GuestVm;
    this.later(`fork ${index} answers`, () => {
      if (!guest.alive) return;
      if (guest.notified !== null && proves(line, guest.notified)) this.provedToHost.add(index);
      this.host({ kind: 'response', fork: nameOf(index), line, elapsedMs: 5, witness: null });
    });
  }

  private inGuest(guest: GuestVm, event: AgentEvent): void {
    if (!guest.alive) return;
    const { actions, wrong } = guest.take(event);
    if (wrong !== null) this.fail(guest.rule, `fork ${guest.index}: ${wrong}`);
    for (const action of actions) this.doInGuest(guest, action);
  }

  private doInGuest(guest: GuestVm, action: AgentAction): void {
    const { index, generation } = guest;
    if (action.kind === 'reply') {
      const { ok } = action.body;
      if (action.to === 'notify-forked') this.respond(index, JSON.stringify(action.body));
      if (action.to === 'release') {
        const released = { kind: 'released', fork: nameOf(index), generation, ok } as const;
        this.later(`fork ${index} answers the release`, () => this.host(released));
      }
      return;
    }
    if (action.kind === 'serve') this.served += 1;
    const outcome = guest.perform(action);
    if (outcome !== null)
      this.later(`fork ${index}: ${action.kind} is done`, () => this.inGuest(guest, outcome));
  }
}

function lineOf(inhabitant: Inhabitant, { generation, nonce }: NotifyRequest): string | null {
  if (inhabitant === 'lying boolean') return '{"ok":true,"reseeded_rng":true}';
  if (inhabitant === 'says false') return '{"ok":false,"reseeded_rng":false}';
  return inhabitant === 'one sample' ? honestLine('0'.repeat(64), { generation, nonce }) : null;
}

function nameOf(index: number): string {
  return `fork-${index}`;
}

function proves(line: string, asked: { generation: number; nonce: string }): boolean {
  const { sample, proof } = JSON.parse(line) as { sample?: unknown; proof?: unknown };
  return typeof sample === 'string' && proof === modelProof(sample, asked);
}

export function describeDisturbance(disturbance: Disturbance): string {
  if (disturbance.what === 'kill -9') return 'kill -9 and restart of the host';
  const { what, fork } = disturbance;
  if (what === 'deliver') return `${disturbance.item} is asked for, for fork ${fork}`;
  if (what === 'ask the agent') return `the agent of fork ${fork} is asked for ${disturbance.service}`;
  if (what === 'stray release') return `stray release of fork ${fork}, generation off by ${disturbance.by}`;
  return `${what}: fork ${fork}`;
}
