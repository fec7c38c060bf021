/**
 * The guest agent: executes agent-step, which alone says what comes after what.
 * Invariant: nothing on the way of `notify_forked` waits, and nothing of it runs for the first time: it was rehearsed
 * before the snapshot.
 */
import type {
  AllowedProcess,
  ControlReply,
  ControlRequest,
  FactsReply,
  ForkConfiguration,
  InitReply,
  InitRequest,
  PingReply,
  PrepareSnapshotReply,
} from '#reference/contract/guest-protocol.ts';
import { reseedVersions } from '#reference/contract/reseed.ts';
import {
  type AgentAction,
  type AgentEvent,
  agentAtBoot,
  type Service,
  stepAgent,
} from '../decisions/agent-step.ts';
import { RepairError, type RepairGround, repairFork } from './fork-repair.ts';
import type { Generators } from './generators.ts';
import type { Workload } from './workload.ts';

export const agentName = 'mitos-guest/1';
/** An event leads to a handful of others, never to more. */
const maxEvents = 16;
const maxNamed = 32;

export interface AgentParts {
  readonly generators: Pick<Generators, 'call'>;
  readonly repair: RepairGround;
  readonly workload: Workload;
  /** Before a snapshot, with the workload frozen: why a volume cannot be taken off, or null. */
  detachVolumes(): string | null;
  /** Requests on `services` that have not ended. */
  inFlight(): number;
  init(request: InitRequest): Promise<InitReply>;
  facts(): FactsReply;
  /** An exec, of no effect: while the workload may still run. */
  rehearseExec(): Promise<void>;
  /** The whole way of a fork, without any effect. */
  rehearseFork(): Promise<void>;
  log(sentence: string): void;
}

interface Task {
  readonly configuration: ForkConfiguration;
  readonly allowed: readonly AllowedProcess[];
}

const noTask: Task = { configuration: {}, allowed: [] };

export class Agent {
  readonly #parts: AgentParts;
  #state = agentAtBoot;
  /** Why a snapshot was refused, beside what agent-step says. */
  #hindrance: Omit<PrepareSnapshotReply, 'ok'> = {};

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** One at a time. */
  async control(request: ControlRequest): Promise<ControlReply> {
    switch (request.method) {
      case 'ping':
        return this.#ping();
      case 'facts':
        return this.#beforeSnapshot(() => this.#parts.facts());
      case 'init':
        return this.#beforeSnapshot(() => this.#parts.init(request));
      case 'prepare_snapshot': {
        const task = { ...noTask, allowed: request.allow_processes ?? [] };
        return this.#run({ kind: 'prepare-snapshot' }, task);
      }
      case 'notify_forked': {
        const { version, generation, nonce, seed, host_wall_clock_nanos } = request;
        const notify = { version, generation, nonce, seed, host_wall_clock_nanos };
        return this.#run({ kind: 'notify-forked', request: notify }, { configuration: request, allowed: [] });
      }
      case 'release':
        return this.#run({ kind: 'release', generation: request.generation }, noTask);
    }
  }

  /** It waits for its host, and has nothing else to do. */
  get isHeld(): boolean {
    const { phase } = this.#state;
    return phase === 'frozen' || phase === 'replied';
  }

  /** null: it may be served now. Else why not. */
  refusal(service: Service): string | null {
    const { state, actions, rule } = stepAgent(this.#state, { kind: 'request', service });
    this.#state = state;
    return actions.some(({ kind }) => kind === 'serve') ? null : rule;
  }

  #ping(): PingReply {
    const { phase, generation } = this.#state;
    return { ok: true, agent: agentName, versions: reseedVersions, phase, generation };
  }

  #beforeSnapshot(answer: () => ControlReply | Promise<ControlReply>): ControlReply | Promise<ControlReply> {
    return this.#state.phase === 'running' ? answer() : { ok: false, error: 'not after the first snapshot' };
  }

  async #run(first: AgentEvent, task: Task): Promise<ControlReply> {
    const events = [first];
    let reply: ControlReply | null = null;
    for (let count = 0; count < events.length; count++) {
      if (count >= maxEvents) throw new Error('one request leads to events without end');
      const event = events[count] as AgentEvent;
      const { state, actions, rule } = stepAgent(this.#state, event);
      this.#state = state;
      if (state.phase === 'refused') this.#parts.log(`refused: ${rule}`);
      for (const action of actions) {
        if (action.kind === 'reply') reply = this.#reply(action);
        else if (action.kind === 'freeze') events.push({ kind: 'frozen', ok: await this.#freeze(task) });
        else events.push(...this.#perform(action, task));
      }
    }
    return reply ?? { ok: false, error: `busy: ${this.#state.phase}` };
  }

  #reply({ to, body }: Extract<AgentAction, { kind: 'reply' }>): ControlReply {
    if (to !== 'prepare-snapshot' || body.ok) return body;
    const hindrance = this.#hindrance;
    this.#hindrance = {};
    return { ...body, ...hindrance };
  }

  /** What an action leads to, at once. */
  #perform(action: AgentAction, { configuration }: Task): AgentEvent[] {
    const { workload, generators, repair } = this.#parts;
    switch (action.kind) {
      case 'thaw':
        workload.thaw();
        return [];
      case 'signal': {
        const processes = workload.signalThoseThatCatch();
        return [{ kind: 'signaled', generation: action.generation, processes }];
      }
      case 'call':
        return [{ kind: 'called', generation: action.generation, result: generators.call(action.call) }];
      case 'repair':
        return [this.#repair(repair, action, configuration)];
      case 'freeze':
      case 'serve':
      case 'reply':
        return [];
    }
  }

  #repair(
    ground: RepairGround,
    { generation, hostWallClockNanos }: Extract<AgentAction, { kind: 'repair' }>,
    configuration: ForkConfiguration,
  ): AgentEvent {
    try {
      const appliedClockStepNanos = repairFork(ground, { configuration, generation, hostWallClockNanos });
      return { kind: 'repaired', generation, ok: true, appliedClockStepNanos };
    } catch (error) {
      if (!(error instanceof RepairError)) throw error;
      this.#parts.log(`${error.message}: ${codeOf(error.cause)}`);
      return { kind: 'repaired', generation, ok: false, appliedClockStepNanos: 0 };
    }
  }

  /** Frozen, with nothing alive that was not declared, and all that a fork will run warm. */
  async #freeze({ allowed }: Task): Promise<boolean> {
    const { workload } = this.#parts;
    if (this.#parts.inFlight() > 0) {
      this.#hindrance = { error: 'a request on services has not ended' };
      return false;
    }
    await this.#parts.rehearseExec();
    const answering = await workload.answering(allowed);
    if (!(await workload.freeze())) return false;
    const others = workload.others(answering);
    if (others.length > 0) {
      const processes = others.slice(0, maxNamed).map(({ pid, comm }) => ({ pid, comm }));
      this.#hindrance = { error: 'processes are alive that are not declared, or do not answer', processes };
      return false;
    }
    const error = this.#parts.detachVolumes();
    if (error !== null) {
      this.#hindrance = { error };
      return false;
    }
    this.#parts.repair.files.hold();
    await this.#parts.rehearseFork();
    return true;
  }
}

/** The name of an error, which holds no value of the request. */
function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
