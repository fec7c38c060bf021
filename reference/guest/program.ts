/**
 * A program in the workload: started in a session and a cgroup of its own, ended by a deadline, its output read to the
 * end.
 * Invariant: it has ended at the latest when its time is over, and then with all that it started; what it left behind
 * in the background when it ended by itself holds up nobody.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { LimitError, type ProgramGroup } from './program-groups.ts';
import type { Reaper } from './reaper.ts';
import type { Workload } from './workload.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** After the end of a program, output that its descendants hold open is given up once it was silent for so long. */
const silenceMs = 50;

export interface ProgramSpec {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeout_ms: number;
  readonly max_processes?: number;
  readonly max_memory_octets?: number;
}

export interface ProgramEnd {
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: true;
}

/** What starts programs: in the workload, and known to the reaper. */
export interface Starter {
  readonly workload: Pick<Workload, 'group'>;
  readonly reaper: Pick<Reaper, 'leave' | 'ended'>;
}

/** Why a program could not be started; never an octet of its arguments. */
export class StartError extends Error {
  constructor(why: string) {
    super(`the program could not be started: ${why}`);
    this.name = 'StartError';
  }
}

export type Streams = 'pipes' | 'output' | 'none';

const stdio = {
  pipes: ['pipe', 'pipe', 'pipe'],
  output: ['ignore', 'pipe', 'pipe'],
  none: ['ignore', 'ignore', 'ignore'],
} as const;

export class Program {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly outputs: readonly { readonly name: 'stdout' | 'stderr'; readonly stream: Readable }[];
  /** Told once its output is read, or given up. */
  readonly ended: Promise<ProgramEnd>;
  readonly #child: ChildProcess;
  readonly #group: ProgramGroup;
  #hasExited = false;
  #isClosed = false;
  #wasKilled = false;
  #timedOut = false;

  private constructor(
    child: ChildProcess,
    group: ProgramGroup,
    timeoutMs: number | null,
    reaper: Starter['reaper'],
  ) {
    const pid = child.pid as number;
    this.#child = child;
    this.#group = group;
    this.pid = pid;
    this.stdin = child.stdin;
    // Who does not read its input may be gone before it is written.
    child.stdin?.on('error', () => undefined);
    this.outputs = (['stdout', 'stderr'] as const).flatMap((name) => {
      const stream = child[name];
      return stream === null ? [] : [{ name, stream }];
    });
    const timer =
      timeoutMs === null
        ? undefined
        : setTimeout(() => {
            this.#timedOut = true;
            this.kill('SIGKILL');
          }, timeoutMs);
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#hasExited = true;
        reaper.ended(pid);
        this.#giveUpWhenSilent();
        child.once('close', () => {
          clearTimeout(timer);
          const end = {
            ...(code === null ? {} : { exit_code: code }),
            ...(signal === null ? {} : { signal }),
            ...(this.#timedOut ? { timed_out: true as const } : {}),
          };
          resolve(this.#leave().then(() => end));
        });
      });
    });
  }

  /** @throws StartError */
  static async start({ workload, reaper }: Starter, spec: ProgramSpec, streams: Streams): Promise<Program> {
    const { argv, env = {}, cwd = '/' } = spec;
    if (!isFolder(cwd)) throw new StartError('cwd is no folder');
    const group = groupFor(workload, spec);
    const child = group.startInside(() =>
      spawn(argv[0] ?? '', argv.slice(1), {
        cwd,
        env: { PATH: defaultPath, ...env },
        detached: true,
        stdio: [...stdio[streams]],
      }),
    );
    const { pid } = child;
    if (pid === undefined) {
      group.close();
      throw await whyNot(child);
    }
    reaper.leave(pid);
    return new Program(child, group, streams === 'none' ? null : spec.timeout_ms, reaper);
  }

  /** SIGKILL to all that it started; another to its process group. */
  kill(signal: NodeJS.Signals): void {
    if (this.#isClosed) return;
    if (signal === 'SIGKILL') {
      this.#wasKilled = true;
      this.#group.kill();
      return;
    }
    // Its number may be another's by then.
    if (this.#hasExited) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Whoever is told that it was killed finds nothing of it, unless the kernel itself cannot end it. */
  async #leave(): Promise<void> {
    if (this.#wasKilled) await this.#group.emptied();
    this.#isClosed = true;
    this.#group.close();
  }

  #giveUpWhenSilent(): void {
    let heard = this.#octets();
    const timer = setInterval(() => {
      const open = this.outputs.filter(({ stream }) => !stream.destroyed && !stream.readableEnded);
      if (open.length === 0) {
        clearInterval(timer);
        return;
      }
      const now = this.#octets();
      if (now === heard && open.every(({ stream }) => stream.readableLength === 0)) {
        for (const { stream } of open) stream.destroy();
      }
      heard = now;
    }, silenceMs);
  }

  #octets(): number {
    const { stdout, stderr } = this.#child;
    return [stdout, stderr].reduce((sum, stream) => sum + bytesRead(stream), 0);
  }
}

/** Pipes of a child are sockets, and count. */
function bytesRead(stream: Readable | null): number {
  return stream !== null && 'bytesRead' in stream ? Number(stream.bytesRead) : 0;
}

/** @throws StartError */
function groupFor(workload: Starter['workload'], spec: ProgramSpec): ProgramGroup {
  const { max_processes: processes, max_memory_octets: memoryOctets } = spec;
  try {
    return workload.group({
      ...(processes === undefined ? {} : { processes }),
      ...(memoryOctets === undefined ? {} : { memoryOctets }),
    });
  } catch (error) {
    if (error instanceof LimitError) throw new StartError(error.message);
    throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function whyNot(child: ChildProcess): Promise<StartError> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(new StartError(error.code ?? 'no reason')));
  });
}

/** Octets of a stream that may be given up on the way. */
export async function* chunksOf(stream: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
