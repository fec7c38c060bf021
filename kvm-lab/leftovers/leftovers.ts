/**
 * What runs of the lab leave that were killed: processes, containers, folders, and images when they are asked for.
 * Namespaces, veths, taps and tables of the lab have no name: they go with the process or container that is in them.
 * Invariant: a thing is found by its mark alone, and only when the process of that mark is gone.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { DockerError, docker, engineUnsupported } from '../providers/container/docker-engine.ts';
import { imageLabel, imageRepository, ownerLabel } from '../providers/container/husk-image.ts';
import type { Unsupported } from '../providers/unsupported.ts';
import { labFolders, removeLabFolder } from './lab-folder.ts';
import { ownerStart, ownerState, ownerVariable } from './owner.ts';

export interface Leftover {
  readonly kind: 'process' | 'container' | 'folder' | 'image';
  /** Number, id, path or tag. */
  readonly name: string;
  readonly detail: string;
  /** When the process that made it began; null: before this boot, or nobody says. */
  readonly ownerStart: Date | null;
}

export interface Search {
  readonly found: readonly Leftover[];
  /** What could not be looked for, and why. */
  readonly unsearched: readonly Unsupported[];
}

const processGoneMs = 5_000;

/** In the order in which they are removed: who holds a thing before the thing. */
export function leftovers({ images }: { readonly images: boolean }): Search {
  const missing = engineUnsupported();
  const ofEngine = missing === null ? [...leftContainers(), ...(images ? builtImages() : [])] : [];
  return {
    found: [...leftProcesses(), ...ofEngine, ...leftFolders()],
    unsearched: missing === null ? [] : [missing],
  };
}

/** What the lab started, and everything that it started, carries the mark in its environment. */
function leftProcesses(): Leftover[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const mark = markOfProcess(name);
      if (mark === null || ownerState(mark) !== 'gone') return [];
      const command = readProc(`/proc/${name}/cmdline`)?.replaceAll('\0', ' ').trim() ?? '';
      return [
        { kind: 'process' as const, name, detail: command.slice(0, 100), ownerStart: ownerStart(mark) },
      ];
    });
}

function markOfProcess(pid: string): string | null {
  const own = `${ownerVariable}=`;
  const found = readProc(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((entry) => entry.startsWith(own));
  return found === undefined || !isOwnUser(pid) ? null : found.slice(own.length);
}

function isOwnUser(pid: string): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

/** null: it is gone, or another user's. */
function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return null;
    throw error;
  }
}

function leftContainers(): Leftover[] {
  const format = `{{.ID}}\t{{.Label "${ownerLabel}"}}\t{{.Status}}`;
  const words = ['ps', '--all', '--no-trunc', '--filter', `label=${ownerLabel}`, '--format', format];
  return docker(words)
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([id = '', mark = '']) => id !== '' && ownerState(mark) === 'gone')
    .map(([name = '', mark = '', detail = '']) => ({
      kind: 'container' as const,
      ...{ name, detail, ownerStart: ownerStart(mark) },
    }));
}

/** By the names that the lab gives, and those that lost theirs to a newer build; a name of somebody's own stays. */
function builtImages(): Leftover[] {
  const format = '{{.ID}}\t{{.Repository}}:{{.Tag}}\t{{.Size}}';
  return docker(['images', '--filter', `label=${imageLabel}`, '--format', format])
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([id = '', tag = '', detail = '']) => {
      const name = tag.startsWith(`${imageRepository}:`) ? tag : tag === '<none>:<none>' ? id : null;
      return name === null || name === '' ? [] : [{ kind: 'image' as const, name, detail, ownerStart: null }];
    });
}

function leftFolders(): Leftover[] {
  return labFolders()
    .filter(({ owner }) => owner === 'gone')
    .map(({ path, mark }) => ({
      kind: 'folder' as const,
      ...{ name: path, detail: '', ownerStart: ownerStart(mark) },
    }));
}

/** Throws when it is still there afterwards. */
export async function removeLeftover({ kind, name }: Pick<Leftover, 'kind' | 'name'>): Promise<void> {
  if (kind === 'process') await endProcess(name);
  else if (kind === 'container') removeContainer(name);
  else if (kind === 'image') docker(['rmi', name]);
  else removeLabFolder(name);
}

async function endProcess(pid: string): Promise<void> {
  const mark = markOfProcess(pid);
  // Its number may be another's by now.
  if (mark === null || ownerState(mark) !== 'gone') return;
  process.kill(Number(pid), 'SIGKILL');
  const deadlineMs = performance.now() + processGoneMs;
  while (markOfProcess(pid) === mark) {
    if (performance.now() > deadlineMs) throw new Error('it does not end');
    await pause(5);
  }
}

/** One that ends at this moment is removed by the engine itself. */
function removeContainer(id: string): void {
  try {
    docker(['rm', '--force', '--volumes', id]);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (!/no such container|already in progress/i.test(error.message)) throw error;
  }
}
