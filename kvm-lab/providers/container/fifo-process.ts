/**
 * A subject's datapath in a container that already runs, driven through named pipes in a folder that both see.
 * Invariant: the pipes of one process are not those of the next; it has ended when the kernel has taken
 * everything from it, its taps included.
 */
import { constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { DatapathProcess } from '../netns/datapath-process.ts';

const startDeadlineMs = 20_000;
const goneDeadlineMs = 20_000;
const lookEveryMs = 2;

/** What the container's first process does: one datapath after the other, until the lab is gone. */
export const servingScript =
  'exec 3</lab/life; while read -r words <&3; do node $words </lab/in >/lab/out 2>/lab/err 3<&-; done';

/** In the folder that is /lab in the container. */
export const pipeNames = ['life', 'in', 'out', 'err'] as const;

const { O_RDONLY, O_RDWR, O_NONBLOCK } = constants;

function pipeEnd(path: string, direction: 'in' | 'out'): Socket {
  // Of a pipe that nobody has open yet, only reading and writing at once opens it for a writer.
  const fd = openSync(path, (direction === 'in' ? O_RDWR : O_RDONLY) | O_NONBLOCK);
  return new Socket({ fd, readable: direction === 'out', writable: direction === 'in' });
}

export class FifoProcess implements DatapathProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<string>;
  readonly #parent: number;
  #pid = -1;

  /** `start` has the container's first process, `parent`, open the pipes' other ends. */
  constructor(folder: string, parent: number, start: () => void) {
    this.#parent = parent;
    const [out, err] = [pipeEnd(`${folder}/out`, 'out'), pipeEnd(`${folder}/err`, 'out')];
    const input = pipeEnd(`${folder}/in`, 'in');
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
    if (this.#pid < 0) this.#pid = childOf(this.#parent);
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
      if (performance.now() > deadlineMs) throw new Error('the container started no datapath in time');
      await pause(lookEveryMs);
    }
  }
}

/** The only child of a process that waits for it; -1: none. */
function childOf(parent: number): number {
  try {
    const [first = ''] = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').split(' ');
    return first === '' ? -1 : Number(first);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return -1;
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
