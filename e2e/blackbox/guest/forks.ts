/**
 * The forks of a run: those that were named, or those that a command starts, one after the other.
 * Invariant: what was started is ended, by its process group and by --end, whatever comes; a fork that could not be
 * ended is told.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { channelPorts } from '#reference/contract/guest-protocol.ts';
import { AgentSession, type Ground } from './agent-session.ts';
import { type Endpoint, forkNumber, ofFork, parseEndpoint } from './endpoint.ts';
import { printable, runCommand, startCommand, stopCommand } from './run-command.ts';
import type { Settings } from './settings.ts';
import { Unreachable } from './unreachable.ts';

export interface Fork {
  readonly n: number;
  readonly agent: Endpoint | null;
  readonly services: Endpoint | null;
}

const retryMs = 100;
const maxErrorChars = 300;

interface Started {
  readonly child: ChildProcess;
  stderr: string;
}

export class Forks {
  readonly #settings: Settings;
  readonly #ground: Ground;
  readonly #signal: AbortSignal;
  readonly #started = new Map<number, Started>();
  #last = 0;
  /** What could not be ended. */
  readonly left: string[] = [];

  constructor(settings: Settings, ground: Ground, signal: AbortSignal) {
    this.#settings = settings;
    this.#ground = ground;
    this.#signal = signal;
  }

  /** How many there are, started ones included. */
  get most(): number {
    const { fork, agents, forks } = this.#settings;
    return fork !== null || agents.some((text) => text.includes(forkNumber)) || agents.length === 0
      ? forks
      : agents.length;
  }

  get taken(): number {
    return this.#last;
  }

  /** null: there is no other. */
  async take(): Promise<Fork | null> {
    if (this.#last >= this.most) return null;
    this.#last += 1;
    const n = this.#last;
    if (this.#settings.fork !== null) {
      await this.#ground.pace.turn();
      this.#start(this.#settings.fork, n);
    }
    const { agents, services } = this.#settings;
    return {
      n,
      agent: endpointOf('--agent', agents, n, channelPorts.control),
      services: endpointOf('--services', services, n, channelPorts.services),
    };
  }

  #start(command: string, n: number): void {
    const child = startCommand(command, n);
    const started = { child, stderr: '' };
    child.stdout?.resume();
    child.stderr?.on('data', (chunk: Buffer) => {
      started.stderr = `${started.stderr}${chunk.toString('latin1')}`.slice(-maxErrorChars);
    });
    child.on('error', ({ message }) => {
      started.stderr = message;
    });
    this.#started.set(n, started);
  }

  /** @throws Unreachable when the command of the fork has failed */
  check(n: number): void {
    const started = this.#started.get(n);
    const { exitCode, signalCode } = started?.child ?? {};
    if (started === undefined || exitCode === 0) return;
    if ((exitCode ?? signalCode ?? null) === null) return;
    const said = started.stderr === '' ? '' : `: ${printable(started.stderr)}`;
    throw new Unreachable(
      `fork ${n}: its command ended with ${exitCode ?? signalCode}${said}`,
      'run the command of --fork by hand, with a number for {n}',
    );
  }

  /** As soon as it is there; one that was started has --wait to come. @throws Unreachable */
  async agentOf({ n, agent }: Fork): Promise<AgentSession> {
    if (agent === null) throw new Unreachable('no agent was named', '--agent unix:/path/socket');
    const until = performance.now() + (this.#settings.fork === null ? 0 : this.#settings.waitMs);
    for (;;) {
      this.check(n);
      this.#ground.pace.check();
      try {
        return await AgentSession.open(agent, this.#ground);
      } catch (error) {
        if (!(error instanceof Unreachable) || performance.now() >= until) throw error;
      }
      await pause(retryMs);
    }
  }

  async end({ n }: Fork): Promise<void> {
    const started = this.#started.get(n);
    if (started === undefined) return;
    this.#started.delete(n);
    const { end, waitMs } = this.#settings;
    if (end !== null) {
      // Also after an interrupt: what was made is taken away.
      const { failure, stderr } = await runCommand(end, n, waitMs, new AbortController().signal);
      if (failure !== '') this.left.push(`fork ${n}: --end: ${failure}${stderr === '' ? '' : `: ${stderr}`}`);
    } else if (started.child.exitCode === 0) {
      this.left.push(`fork ${n}: its command has ended and left it; --end says how it is taken away`);
    }
    await stopCommand(started.child);
  }

  async close(): Promise<void> {
    for (const n of [...this.#started.keys()]) await this.end({ n, agent: null, services: null });
  }

  /** Output of a command of a fork. */
  async run(command: string, n: number) {
    await this.#ground.pace.turn();
    return runCommand(command, n, this.#settings.waitMs, this.#signal);
  }
}

function endpointOf(flag: string, texts: readonly string[], n: number, usualPort: number): Endpoint | null {
  const text = texts.find((one) => one.includes(forkNumber)) ?? texts[n - 1];
  return text === undefined ? null : parseEndpoint(flag, ofFork(text, n), usualPort);
}
