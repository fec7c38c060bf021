/**
 * All that the agent starts, in one cgroup v2 that is frozen and thawed as a whole
 * (Documentation/admin-guide/cgroup-v2.rst).
 * Invariant: a process is in the cgroup from its first instruction; the agent is out of it whenever anything of the
 * agent waits.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { AllowedProcess } from '#reference/contract/guest-protocol.ts';
import { hasSignal, listProcesses, processAt, readSmall, type UserProcess } from './processes.ts';
import { type GroupLimits, type ProgramGroup, ProgramGroups } from './program-groups.ts';

const { SIGUSR2 } = constants.signals;
const freezeDeadlineMs = 2_000;
const answerDeadlineMs = 1_000;
const pollMs = 2;

/** Of a cgroup and those within it. */
function pidsIn(folder: string): number[] {
  const pids = readSmall(`${folder}/cgroup.procs`) ?? '';
  const within = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const own = pids
    .split('\n')
    .filter((pid) => pid !== '')
    .map(Number);
  return [...own, ...within.flatMap(({ name }) => pidsIn(`${folder}/${name}`))];
}

export interface Workload {
  /** For a program and all that it starts. */
  group(limits: GroupLimits): ProgramGroup;
  /** false: not within the deadline. */
  freeze(): Promise<boolean>;
  thaw(): void;
  /** Of those declared, the ones that were seen to answer SIGUSR2. */
  answering(allowed: readonly AllowedProcess[]): Promise<readonly UserProcess[]>;
  /** Alive, and none of these; or alive outside of what is frozen. */
  others(known: readonly UserProcess[]): readonly UserProcess[];
  /** SIGUSR2 to those that catch it: how many. */
  signalThoseThatCatch(): number;
}

/** Where the cgroup v2 hierarchy is mounted. */
const root = '/sys/fs/cgroup';

export class CgroupWorkload implements Workload {
  readonly #folder: string;
  readonly #groups: ProgramGroups;
  readonly #name: string;
  readonly #isWatched: boolean;

  /** @param isWatched false: what lives outside of it is nothing to it */
  constructor(name = 'workload', isWatched = true) {
    this.#name = `/${name}`;
    this.#isWatched = isWatched;
    this.#folder = `${root}${this.#name}`;
    mkdirSync(this.#folder, { recursive: true });
    this.#groups = new ProgramGroups(root, this.#folder);
  }

  /** @throws LimitError */
  group(limits: GroupLimits): ProgramGroup {
    return this.#groups.open(limits);
  }

  boundAll(): void {
    this.#groups.boundAll();
  }

  async freeze(): Promise<boolean> {
    writeFileSync(`${this.#folder}/cgroup.freeze`, '1');
    const end = performance.now() + freezeDeadlineMs;
    while (!this.#isFrozen()) {
      if (performance.now() > end) return false;
      await wait(pollMs);
    }
    return true;
  }

  #isFrozen(): boolean {
    return /^frozen 1$/m.test(readFileSync(`${this.#folder}/cgroup.events`, 'latin1'));
  }

  thaw(): void {
    writeFileSync(`${this.#folder}/cgroup.freeze`, '0');
  }

  #has({ cgroup }: UserProcess): boolean {
    return cgroup === this.#name || cgroup.startsWith(`${this.#name}/`);
  }

  async answering(allowed: readonly AllowedProcess[]): Promise<readonly UserProcess[]> {
    const declared = new Set(allowed.map(({ comm }) => comm));
    if (declared.size === 0) return [];
    const asked = listProcesses().filter((one) => declared.has(one.comm) && this.#signal(one.pid));
    const end = performance.now() + answerDeadlineMs;
    const isWaiting = () => asked.some(({ pid }) => hasSignal(pid, 'pending', SIGUSR2) === true);
    while (isWaiting() && performance.now() < end) await wait(pollMs);
    return asked.filter(
      ({ pid, startTicks }) =>
        processAt(pid)?.startTicks === startTicks && hasSignal(pid, 'pending', SIGUSR2) === false,
    );
  }

  others(known: readonly UserProcess[]): readonly UserProcess[] {
    if (!this.#isWatched) return [];
    const isKnown = (one: UserProcess) =>
      known.some(({ pid, startTicks }) => pid === one.pid && startTicks === one.startTicks);
    return listProcesses().filter((one) => !isKnown(one) || !this.#has(one));
  }

  /** By the cgroup's own list: what all of /proc costs would be a fork's to pay. */
  signalThoseThatCatch(): number {
    return pidsIn(this.#folder).filter((pid) => this.#signal(pid)).length;
  }

  /** false: it does not catch it, or is gone. */
  #signal(pid: number): boolean {
    if (hasSignal(pid, 'caught', SIGUSR2) !== true) return false;
    try {
      process.kill(pid, 'SIGUSR2');
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }
}
