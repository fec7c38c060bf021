/** A process of the reference, as a node would start it: what it says, how it ends, what is left of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { markedEnvironment } from '../leftovers/owner.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly errors: string;
}

export interface ProcessPlace {
  /** Another user. */
  readonly uid?: number;
  /** Path of a network namespace. */
  readonly namespace?: string;
  /** Its descriptor 3; stays the caller's. */
  readonly passed?: number;
}

const pathOf = (name: string) => new URL(`../../reference/main/${name}.ts`, import.meta.url).pathname;

/** Processes below one, by pid, and those below them. */
export function processesBelow(pid: number): number[] {
  const children = readdirSync('/proc').flatMap((name) => {
    try {
      const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'latin1')) ?? [];
      return Number(parent) === pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
  return children.flatMap((child) => [child, ...processesBelow(child)]);
}

const alive = new Set<MainProcess>();

/** What a test that failed on its way has left. */
export async function endAll(): Promise<void> {
  await Promise.all([...alive].map((one) => one.end('SIGKILL')));
}

export class MainProcess {
  readonly child: ChildProcess;
  /** On stdout so far. */
  readonly lines: string[] = [];
  readonly ended: Promise<Ended>;
  #errors = '';
  #more = Promise.withResolvers<void>();

  /** @param name of a main of the reference, or a script's path */
  constructor(name: string, flags: readonly string[], { uid, namespace, passed }: ProcessPlace = {}) {
    const script = name.startsWith('/') ? name : pathOf(name);
    const within = namespace === undefined ? [] : ['nsenter', `--net=${namespace}`];
    const [command = '', ...words] = [...within, process.execPath, script, ...flags];
    this.child = spawn(command, words, {
      stdio: ['pipe', 'pipe', 'pipe', ...(passed === undefined ? [] : [passed])],
      env: markedEnvironment(),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('it has no pipes');
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(line);
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    });
    stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    alive.add(this);
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      alive.delete(this);
      return { code, signal, errors: this.#errors };
    });
  }

  /** On stderr so far. */
  get errors(): string {
    return this.#errors;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The line that holds `word`, once it was said. */
  async hear(word: string): Promise<Record<string, unknown>> {
    for (;;) {
      const said = this.lines.find((line) => line.includes(word));
      if (said !== undefined) return JSON.parse(said) as Record<string, unknown>;
      const end = await Promise.race([this.#more.promise, this.ended]);
      if (end !== undefined) throw new Error(`it ended before it said ${word}: ${end.errors}`);
    }
  }

  /** @returns how it ended, and which processes of it live on */
  async end(
    signal: 'SIGTERM' | 'SIGKILL',
  ): Promise<Ended & { readonly below: number[]; readonly left: () => number[] }> {
    const below = processesBelow(this.pid);
    this.child.kill(signal);
    const ended = await this.ended;
    return { ...ended, below, left: () => below.filter((pid) => existsSync(`/proc/${pid}`)) };
  }
}
