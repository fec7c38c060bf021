/**
 * A process that runs attacks, one at a time: jobs go in as JSON lines, records come out.
 * Invariant: a record for each job, whatever happens to the process; it is gone when `kill` or `end` has ended.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import type { CellRecord } from '#properties/matrix/record.ts';

const maxSaidOctets = 2_000;
const endDeadlineMs = 30_000;

/** What has no verdict, and why. */
export type WithoutVerdict<Job> = (
  job: Job,
  outcome: 'unsupported' | 'not-run' | 'crashed' | 'hung',
  reason: string,
) => CellRecord;

export interface AttackProcessPlan<Job> {
  /** Program and its words. */
  readonly command: readonly [string, readonly string[]];
  readonly deadlineMs: number;
  readonly withoutVerdict: WithoutVerdict<Job>;
}

export class AttackProcess<Job> {
  readonly #plan: AttackProcessPlan<Job>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<void>;
  #answer: (line: string | null) => void = () => undefined;
  #said = '';

  constructor(plan: AttackProcessPlan<Job>) {
    this.#plan = plan;
    const [program, words] = plan.command;
    this.#child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], env: markedEnvironment() });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-maxSaidOctets);
    });
    // A process that is gone says so by its end.
    this.#child.stdin.on('error', () => this.#answer(null));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#answer(line));
    this.#ended = new Promise((resolve) => {
      const gone = () => {
        this.#answer(null);
        resolve();
      };
      this.#child.on('error', (error) => {
        this.#said = error.message;
        gone();
      });
      this.#child.on('exit', gone);
    });
  }

  /** The record; `alive`: the process may be asked again. */
  async run(job: Job, signal: AbortSignal): Promise<{ record: CellRecord; alive: boolean }> {
    const { deadlineMs, withoutVerdict } = this.#plan;
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    try {
      const line = await new Promise<string | 'late' | 'stopped' | null>((resolve) => {
        this.#answer = resolve;
        timer = setTimeout(() => resolve('late'), deadlineMs);
        stop = () => resolve('stopped');
        signal.addEventListener('abort', stop, { once: true });
        this.#child.stdin.write(`${JSON.stringify(job)}\n`);
      });
      if (line?.startsWith('{')) return { record: JSON.parse(line) as CellRecord, alive: true };
      await this.kill();
      // Ctrl-C goes to the whole group: then the process is gone as well.
      if (line === 'stopped' || signal.aborted)
        return { record: withoutVerdict(job, 'not-run', 'stopped'), alive: false };
      const record =
        line === 'late'
          ? withoutVerdict(job, 'hung', `no end within ${deadlineMs} ms`)
          : withoutVerdict(job, 'crashed', this.#said.trim() || 'the process of the attack is gone');
      return { record, alive: false };
    } finally {
      clearTimeout(timer);
      if (stop !== undefined) signal.removeEventListener('abort', stop);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Lets it give back what it has; it is killed when it does not end. */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endDeadlineMs);
    this.#child.stdin.end();
    await this.#ended;
    clearTimeout(timer);
  }
}
