/**
 * Attacks on all cores, in processes of their own: each has a deadline, one that dies is a record and a new process.
 * Invariant: a record for each job, whatever happens; nothing outlives the call.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { labCommand } from '#kvm-lab/providers/netns/readiness.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { type AttackJob, withoutVerdict } from './plan-attacks.ts';

const worker = fileURLToPath(new URL('./attack-worker.ts', import.meta.url));
const attackDeadlineMs = 45_000;
const maxSaidOctets = 2_000;

class AttackProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<void>;
  #answer: (line: string | null) => void = () => undefined;
  #said = '';

  constructor() {
    const [program, words] = labCommand(worker);
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
  async run(job: AttackJob, signal: AbortSignal): Promise<{ record: CellRecord; alive: boolean }> {
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    try {
      const line = await new Promise<string | 'late' | 'stopped' | null>((resolve) => {
        this.#answer = resolve;
        timer = setTimeout(() => resolve('late'), attackDeadlineMs);
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
          ? withoutVerdict(job, 'hung', `no end within ${attackDeadlineMs} ms`)
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
}

/** A window is mostly waiting, so more attacks than cores pay; too many would only make their controls slow. */
export async function runAttacks(
  jobs: readonly AttackJob[],
  signal: AbortSignal,
  onRecord: (record: CellRecord) => void,
): Promise<CellRecord[]> {
  const records = new Map<AttackJob, CellRecord>();
  // Attacks on one subject after another: its process is started once.
  const waiting = [...jobs].sort((a, b) => a.subject.localeCompare(b.subject));
  const work = async () => {
    let process: AttackProcess | null = null;
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      if (signal.aborted) {
        records.set(job, withoutVerdict(job, 'not-run', 'stopped'));
        continue;
      }
      process ??= new AttackProcess();
      const { record, alive }: { record: CellRecord; alive: boolean } = await process.run(job, signal);
      if (!alive) process = null;
      records.set(job, record);
      onRecord(record);
    }
    await process?.kill();
  };
  await Promise.all(Array.from({ length: Math.min(jobs.length, 2 * availableParallelism() + 1) }, work));
  return jobs.flatMap((job) => records.get(job) ?? []);
}
