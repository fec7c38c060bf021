/**
 * A cgroup v2 for each program of the workload, with all that the program starts
 * (Documentation/admin-guide/cgroup-v2.rst).
 * Invariant: SIGKILL reaches all that is in it, of whatever session, process group or parent it has become; a bound
 * that this kernel cannot hold is refused, never left out.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { isPopulated } from './processes.ts';

export interface GroupLimits {
  readonly processes?: number;
  readonly memoryOctets?: number;
}

/** What a program runs in. */
export interface ProgramGroup {
  /**
   * Runs `start` so that what it starts is in the group and bounded. Nothing in it may wait. A program that has more
   * processes than it may at the moment in which the agent leaves is killed.
   */
  startInside<T>(start: () => T): T;
  kill(): void;
  /** false: something is in it still, at the deadline. */
  emptied(): Promise<boolean>;
  /** The program has ended; what it left in the background may live on in it. */
  close(): void;
}

/** A bound cannot be held. */
export class LimitError extends Error {}

const controllers = ['pids', 'memory'] as const;
type Controller = (typeof controllers)[number];

const emptyDeadlineMs = 2_000;
const pollMs = 2;
const maxTries = 1_000;
/** For the agent, which is outside of the workload. */
const reserveOctets = 64 << 20;
/** Not to be had: the hierarchy has no such controller, or somebody stands where it would begin. */
const without = ['ENOENT', 'EINVAL', 'EBUSY', 'EOPNOTSUPP', 'EACCES'];

export class ProgramGroups {
  readonly #home: string;
  readonly #folder: string;
  readonly #held: ReadonlySet<Controller>;
  readonly #ended = new Set<string>();
  #next = 1;
  #processes: number | null = null;

  /**
   * @param home where the agent is
   * @param folder that of the workload, below it
   */
  constructor(home: string, folder: string) {
    this.#home = home;
    this.#folder = folder;
    this.#held = new Set(controllers.filter((name) => this.#isHeld(name)));
  }

  #isHeld(name: Controller): boolean {
    try {
      for (const folder of [this.#home, this.#folder]) {
        writeFileSync(`${folder}/cgroup.subtree_control`, `+${name}`);
      }
      return true;
    } catch (error) {
      if (without.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }

  /** All programs together leave the agent room to work in. */
  boundAll(): void {
    if (this.#held.has('memory')) {
      const free = freemem();
      this.#write('memory.max', Math.max(free - reserveOctets, Math.floor(free / 2)));
    }
    if (this.#held.has('pids')) {
      const most = Math.floor(Number(readFileSync('/proc/sys/kernel/threads-max', 'latin1')) / 2);
      this.#write('pids.max', most);
      this.#processes = Math.floor(most / 2);
    }
  }

  #write(name: string, value: number): void {
    writeFileSync(`${this.#folder}/${name}`, String(value));
  }

  /** @throws LimitError */
  open({ processes, memoryOctets }: GroupLimits): ProgramGroup {
    this.#sweep();
    this.#check('pids', processes);
    this.#check('memory', memoryOctets);
    const folder = this.#make();
    const set = (name: string, value: number | null | undefined) => {
      if (value !== null && value !== undefined) writeFileSync(`${folder}/${name}`, String(value));
    };
    const bound = () => {
      set('pids.max', processes ?? this.#processes);
      set('memory.max', memoryOctets);
      // One that is out of memory ends whole, and not by the process that happens to be the largest.
      if (this.#held.has('memory')) set('memory.oom.group', 1);
    };
    const kill = () => writeFileSync(`${folder}/cgroup.kill`, '1');
    const tasks = () => Number(readFileSync(`${folder}/pids.current`, 'latin1'));
    return {
      startInside: (start) => {
        const started = this.#startIn(folder, () => {
          // The agent's own threads count as long as it is in there.
          if (processes !== undefined) set('pids.max', processes + tasks());
          return start();
        });
        bound();
        if (processes !== undefined && tasks() > processes) kill();
        return started;
      },
      kill,
      emptied: () => emptied(folder),
      close: () => {
        this.#ended.add(folder);
        this.#sweep();
      },
    };
  }

  #check(name: Controller, limit: number | undefined): void {
    if (limit === undefined || this.#held.has(name)) return;
    throw new LimitError(`this kernel has no controller ${name} for a bound of its own`);
  }

  /** Whoever is root in the guest may have made one of that name. */
  #make(): string {
    for (let tries = 0; ; tries++) {
      const folder = `${this.#folder}/program-${this.#next++}`;
      try {
        mkdirSync(folder);
        return folder;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries >= maxTries) throw error;
      }
    }
  }

  #startIn<T>(folder: string, start: () => T): T {
    // A child is where its parent is when it is made: no moment is left in which it could have made another.
    writeFileSync(`${folder}/cgroup.procs`, '0');
    try {
      return start();
    } finally {
      this.#comeBack();
    }
  }

  #comeBack(): void {
    try {
      writeFileSync(`${this.#home}/cgroup.procs`, '0');
    } catch (error) {
      process.stderr.write(`the agent cannot leave the workload: ${String(error)}\n`);
      process.abort();
    }
  }

  /** Those in which nothing lives any more. */
  #sweep(): void {
    for (const folder of this.#ended) if (remove(folder)) this.#ended.delete(folder);
  }
}

async function emptied(folder: string): Promise<boolean> {
  const end = performance.now() + emptyDeadlineMs;
  while (isPopulated(folder)) {
    if (performance.now() > end) return false;
    await wait(pollMs);
  }
  return true;
}

/** With the cgroups that were made in it. false: something is in it, or comes into it. */
function remove(folder: string): boolean {
  if (isPopulated(folder)) return false;
  try {
    removeBelow(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

function removeBelow(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeBelow(`${folder}/${entry.name}`);
  }
  rmdirSync(folder);
}
