/**
 * Bounds of the kernel on each VM, where this process may set them: a cgroup of version 2 below its own, per VM.
 * Invariant: a process is in its cgroup before it becomes a VMM; nobody else's process is ever moved; what a killed run
 * left is taken away at the next start.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, markOf } from '#reference/base/process-mark.ts';

export interface VmBounds {
  /** All that it has: private memory and files in memory. */
  readonly memoryOctets: number;
  /** Threads included. */
  readonly processes: number;
  /** Of one processor, each period of 100 ms. */
  readonly cpus: number;
}

/** What is set on each. */
export const controllers = ['memory', 'pids', 'cpu'] as const;
const periodMicros = 100_000;
const prefix = 'mitos-vms-';
/** Of this process itself: a cgroup that hands controllers on holds no process. */
const ownLeaf = 'mitos-engine';
const removal = { tries: 200, apartMs: 10 } as const;

/** The bounds of one VM. */
export interface VmCgroup {
  /** For messages. */
  readonly folder: string;
  /** With all its threads. @throws what the kernel says */
  take(pid: number): void;
  /** Of a VM that has ended. @throws what the kernel says when it is not empty in time */
  remove(): Promise<void>;
}

/** Where VMs get theirs. */
export interface CgroupsPort {
  /** @throws what the kernel says */
  make(bounds: VmBounds): VmCgroup;
  /** Those of VMs are gone before. */
  close(): Promise<void>;
}

export type OpenedCgroups =
  | { readonly cgroups: CgroupsPort; readonly why: null }
  | { readonly cgroups: null; readonly why: string };

const read = (path: string) => readFileSync(path, 'latin1');
const reasonOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);

export class VmCgroups implements CgroupsPort {
  /** Of all VMs of this process. */
  readonly #folder: string;
  readonly #place: string;
  #next = 1;

  private constructor(place: string, folder: string) {
    this.#place = place;
    this.#folder = folder;
  }

  /**
   * Below the cgroup that this process is in, which moves into a leaf of it.
   * @param place a folder of cgroup2 instead
   * @returns why not, when there is no version 2, a controller is missing, or it is not this process's to divide
   */
  static open(place: string | null = null): OpenedCgroups {
    const none = (why: string) => ({ cgroups: null, why });
    const own = place ?? ownCgroup();
    if (own === null) return none('cgroup version 2 is not mounted here');
    let missing: string[];
    try {
      const there = read(`${own}/cgroup.controllers`).trim().split(' ');
      missing = controllers.filter((name) => !there.includes(name));
    } catch (error) {
      return none(`${own} cannot be read: ${reasonOf(error)}`);
    }
    if (missing.length > 0) return none(`${own} has no controller ${missing.join(', ')}`);
    try {
      return { cgroups: VmCgroups.#divide(own, place === null), why: null };
    } catch (error) {
      return none(`${own} cannot be divided: ${reasonOf(error)}`);
    }
  }

  static #divide(own: string, isMoved: boolean): VmCgroups {
    const leaf = `${own}/${ownLeaf}`;
    const handsOn = read(`${own}/cgroup.subtree_control`).trim().split(' ');
    const isDivided = controllers.every((name) => handsOn.includes(name));
    try {
      if (!isDivided && isMoved) {
        mkdirSync(leaf, { recursive: true });
        writeFileSync(`${leaf}/cgroup.procs`, String(process.pid));
      }
      if (!isDivided)
        writeFileSync(`${own}/cgroup.subtree_control`, controllers.map((name) => `+${name}`).join(' '));
      sweep(own);
      const started = markOf(process.pid)?.started ?? '0';
      const folder = `${own}/${prefix}${process.pid}-${started}`;
      mkdirSync(folder);
      writeFileSync(`${folder}/cgroup.subtree_control`, controllers.map((name) => `+${name}`).join(' '));
      return new VmCgroups(own, folder);
    } catch (error) {
      // Others live there: it stays as it was.
      if (!isDivided && isMoved) {
        writeFileSync(`${own}/cgroup.procs`, String(process.pid));
        rmdirSync(leaf);
      }
      throw error;
    }
  }

  make({ memoryOctets, processes, cpus }: VmBounds): VmCgroup {
    const folder = `${this.#folder}/vm-${this.#next++}`;
    mkdirSync(folder);
    try {
      writeFileSync(`${folder}/memory.max`, String(memoryOctets));
      // What is swapped out would be bounded by nothing.
      writeIfThere(`${folder}/memory.swap.max`, '0');
      // One that is out of memory ends whole.
      writeFileSync(`${folder}/memory.oom.group`, '1');
      writeFileSync(`${folder}/pids.max`, String(processes));
      writeFileSync(`${folder}/cpu.max`, `${Math.round(cpus * periodMicros)} ${periodMicros}`);
      return {
        folder,
        take: (pid) => writeFileSync(`${folder}/cgroup.procs`, String(pid)),
        remove: () => removeFolder(folder),
      };
    } catch (error) {
      rmdirSync(folder);
      throw error;
    }
  }

  async close(): Promise<void> {
    await removeFolder(this.#folder);
    sweep(this.#place);
  }
}

/** The folder of the cgroup that this process is in, or was before it was divided; null: there is no version 2. */
function ownCgroup(): string | null {
  const [, found] = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup')) ?? [];
  if (found === undefined) return null;
  const path = found.endsWith(`/${ownLeaf}`) ? found.slice(0, -ownLeaf.length - 1) || '/' : found;
  for (const line of read('/proc/self/mountinfo').split('\n')) {
    const [fields = '', kind = ''] = line.split(' - ');
    if (!kind.startsWith('cgroup2 ')) continue;
    const [, , , root = '', point = ''] = fields.split(' ');
    // What is mounted may be a part of the tree.
    if (root === '/') return `${point}${path === '/' ? '' : path}`;
    if (path === root || path.startsWith(`${root}/`)) return `${point}${path.slice(root.length)}`;
  }
  return null;
}

function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'r+' });
  } catch (error) {
    if (reasonOf(error) !== 'ENOENT') throw error;
  }
}

/** Of processes that are no more. */
function sweep(place: string): void {
  for (const name of readdirSync(place)) {
    const [, pid, started = ''] = /^mitos-vms-(\d+)-(\d+)$/.exec(name) ?? [];
    if (pid === undefined || isAlive({ pid: Number(pid), started })) continue;
    const folder = `${place}/${name}`;
    for (const inner of readdirSync(folder)) if (inner.startsWith('vm-')) rmdirSync(`${folder}/${inner}`);
    rmdirSync(folder);
  }
}

/** The last of a process leaves it a little after its parent was told. */
async function removeFolder(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (reasonOf(error) === 'ENOENT') return;
      if (reasonOf(error) !== 'EBUSY' || tries >= removal.tries) throw error;
    }
    await pause(removal.apartMs);
  }
}
