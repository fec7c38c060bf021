/**
 * One guest: a subject's agent-step, a model kernel, a workload that the agent freezes and thaws. Says what
 * the agent did too early.
 */

import type { agentStep } from '../protocol/agent-step.ts';
import type { InputOf, OutputOf } from '../protocol/decision.ts';
import type { Subject } from '../subjects/subject.ts';
import type { KernelGenerator } from './kernel-generator.ts';

export type AgentEvent = InputOf<typeof agentStep>['event'];
export type AgentAction = OutputOf<typeof agentStep>['actions'][number];
export type NotifyRequest = Extract<AgentEvent, { kind: 'notify-forked' }>['request'];

const config = {};

export class GuestVm {
  alive = true;
  workload: 'running' | 'frozen' = 'running';
  /** The agent has answered notify_forked with success. */
  answered = false;
  /** The release of its generation came after its answer: now it may thaw and serve. */
  released = false;
  notified: NotifyRequest | null = null;
  /** The agent's last rule. */
  rule = '';
  readonly index: number;
  readonly generation: number;
  readonly kernel: KernelGenerator;
  private readonly subject: Subject;
  private state: unknown = null;

  constructor(subject: Subject, index: number, generation: number, kernel: KernelGenerator) {
    this.subject = subject;
    this.index = index;
    this.generation = generation;
    this.kernel = kernel;
  }

  /** Boot, warm-up, prepare-snapshot: true when the agent let the snapshot be taken. */
  snapshotted(freezeWorks: boolean): boolean {
    let agreed = false;
    let { actions } = this.take({ kind: 'prepare-snapshot' });
    for (let rounds = 0; rounds < 3; rounds++) {
      agreed ||= actions.some((action) => action.kind === 'reply' && action.body.ok);
      const freeze = actions.some(({ kind }) => kind === 'freeze');
      if (actions.some(({ kind }) => kind === 'thaw')) this.workload = 'running';
      if (!freeze) break;
      if (freezeWorks) this.workload = 'frozen';
      ({ actions } = this.take({ kind: 'frozen', ok: freezeWorks }));
    }
    return agreed;
  }

  /** One event for the agent: its actions, and what it did too early or null. */
  take(event: AgentEvent): { actions: readonly AgentAction[]; wrong: string | null } {
    if (event.kind === 'release' && event.generation === this.generation && this.answered)
      this.released = true;
    const step = this.subject.decide('agent-step', config)({ state: this.state, event });
    this.state = step.state;
    this.rule = step.rule;
    let wrong: string | null = null;
    for (const action of step.actions) {
      if (action.kind === 'reply' && action.to === 'notify-forked' && action.body.ok) this.answered = true;
      if (event.kind === 'prepare-snapshot' || event.kind === 'frozen') continue;
      wrong ??= this.released ? null : tooEarly(action);
    }
    return { actions: step.actions, wrong };
  }

  /** Carries out an action: the event that answers it, or null. */
  perform(action: AgentAction): AgentEvent | null {
    switch (action.kind) {
      case 'call':
        return { kind: 'called', generation: action.generation, result: this.kernel.execute(action.call) };
      case 'repair':
        return { kind: 'repaired', generation: action.generation, ok: true, appliedClockStepNanos: 0 };
      case 'signal':
        return { kind: 'signaled', generation: action.generation, processes: 1 };
      case 'thaw':
        this.workload = 'running';
        return null;
      default:
        return null;
    }
  }
}

function tooEarly(action: AgentAction): string | null {
  if (action.kind === 'thaw') return 'the workload thaws before the release';
  if (action.kind === 'signal') return 'SIGUSR2 before the release';
  return action.kind === 'serve' ? `${action.service} is served before the release` : null;
}
