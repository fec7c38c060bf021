/**
 * A subject's datapath or DNS proxy in a container that already runs, driven through named pipes in a folder that both
 * see. Invariant: what one process was told or said never reaches the next; it has ended when the kernel has taken
 * everything from it, its taps included.
 */
import { constants, openSync, readFileSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { SubjectProcess } from '../netns/subject-process.ts';

const startDeadlineMs = 20_000;
const goneDeadlineMs = 20_000;
const lookEveryMs = 2;

/** Which of the two: each has pipes of its own, for one process after the other. */
export type Role = 'datapath' | 'dns';

/**
 * What the container's first process does: it starts what it is told, `role [NAME=value…] node words…`, until the lab is
 * gone, and everything in the container with it.
 */
export const servingScript =
  'exec 3</lab/life; while read -r role words <&3; do env $words </lab/$role-in >/lab/$role-out 2>/lab/$role-err 3<&- & done';

/** In the folder that is /lab in the container. */
export const pipeNames = [
  'life',
  ...(['datapath', 'dns'] as const).flatMap((role) =>
    (['in', 'out', 'err'] as const).map((end) => `${role}-${end}` as const),
  ),
] as const;

const { O_RDONLY, O_RDWR, O_NONBLOCK } = constants;

function pipeEnd(path: string, direction: 'in' | 'out'): Socket {
  // Of a pipe that nobody has open yet, only reading and writing at once opens it for a writer.
  const fd = openSync(path, (direction === 'in' ? O_RDWR : O_RDONLY) | O_NONBLOCK);
  return new Socket({ fd, readable: direction === 'out', writable: direction === 'in' });
}

export class FifoProcess implements SubjectProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<string>;
  readonly #parent: number;
  readonly #input: string;
  #pid = -1;

  /** `start` has the container's first process, `parent`, open the pipes' other ends. */
  constructor(folder: string, role: Role, parent: number, start: () => void) {
    this.#parent = parent;
    this.#input = `${folder}/${role}-in`;
    const [out, err] = [pipeEnd(`${folder}/${role}-out`, 'out'), pipeEnd(`${folder}/${role}-err`, 'out')];
    const input = pipeEnd(this.#input, 'in');
    [this.stdin, this.stdout, this.stderr] = [input, out, err];
    this.ended = new Promise((resolve) => {
      // Its output ends a little before the rest of it.
      out.on('close', () => {
        err.destroy();
        input.destroy();
        resolve(this.#taken());
      });
    });
    start();
  }

  get pid(): number {
    if (this.#pid < 0) this.#pid = childThatReads(this.#parent, this.#input);
    return this.#pid;
  }

  async #taken(): Promise<string> {
    const deadlineMs = performance.now() + goneDeadlineMs;
    while (this.#pid >= 0 && isThere(this.#pid)) {
      if (performance.now() > deadlineMs) return `its output ended, and it is still there as ${this.#pid}`;
      await pause(lookEveryMs);
    }
    return 'its output ended';
  }

  kill(): void {
    if (this.pid >= 0 && isThere(this.pid)) process.kill(this.pid, 'SIGKILL');
  }

  /** Done when it runs. Throws when it does not within the deadline. */
  async started(): Promise<void> {
    const deadlineMs = performance.now() + startDeadlineMs;
    while (this.pid < 0) {
      if (performance.now() > deadlineMs) throw new Error('the container did not start it in time');
      await pause(lookEveryMs);
    }
  }
}

/** The child of a process whose input that pipe is; -1: none. */
function childThatReads(parent: number, pipe: string): number {
  const { dev, ino } = statSync(pipe);
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').split(' ');
    return Number(children.find((pid) => pid !== '' && hasInput(pid, dev, ino)) ?? -1);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return -1;
    throw error;
  }
}

function hasInput(pid: string, dev: number, ino: number): boolean {
  try {
    const input = statSync(`/proc/${pid}/fd/0`);
    return input.dev === dev && input.ino === ino;
  } catch (error) {
    // Of one that has ended, and of which only the exit code is left.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Not when only its exit code waits to be read. */
function isThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
