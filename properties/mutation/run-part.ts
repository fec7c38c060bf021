/**
 * Runs Stryker over one part, in a process of its own: it can be ended at the deadline whatever a mutant does.
 * Invariant: what was judged until then has been told to the caller.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, textOf } from '../tidy/source-files.ts';
import { type JudgedMutant, judgedMutant, type StrykerMutant } from './judged-mutant.ts';
import { judgingFiles, type Part } from './parts.ts';

/** What the process that runs Stryker says, one after the other. */
export type PartMessage =
  | { readonly kind: 'planned'; readonly mutants: number }
  | { readonly kind: 'judged'; readonly mutant: StrykerMutant }
  | { readonly kind: 'done' };

export interface PartOptions {
  /** Files or `file:from-to` line ranges of the part; every file when absent. */
  readonly mutate?: readonly string[];
  /** Judge again what an earlier run judged. */
  readonly force: boolean;
  /** Ends the run: the time limit, or Ctrl-C. */
  readonly signal: AbortSignal;
  readonly onJudged?: (judged: number, planned: number) => void;
}

export interface PartResult {
  readonly mutants: readonly JudgedMutant[];
  /** How many mutants there are; undefined when the run ended before it was known. */
  readonly planned: number | undefined;
  /** Why Stryker ended without judging all; null when it judged all. */
  readonly cut: string | null;
}

const keptLogCharacters = 4_000;
const graceMs = 2_000;

export async function runPart(part: Part, options: PartOptions): Promise<PartResult> {
  const mutants: JudgedMutant[] = [];
  let planned: number | undefined;
  let done = false;
  const hear = (message: PartMessage) => {
    if (message.kind === 'planned') planned = message.mutants;
    else if (message.kind === 'done') done = true;
    else {
      const file = relative(root, message.mutant.fileName);
      mutants.push(judgedMutant(message.mutant, file, textOf(file)));
    }
    options.onJudged?.(mutants.length, planned ?? 0);
  };
  const log = await runStryker(part, options, hear);
  if (done) return { mutants, planned, cut: null };
  return { mutants, planned, cut: options.signal.aborted ? 'cut off' : log };
}

/** The end of what Stryker printed. */
function runStryker(part: Part, options: PartOptions, hear: (message: PartMessage) => void): Promise<string> {
  const sandbox = `.cache/mutation/sandbox-${part.name}`;
  const entry = fileURLToPath(new URL('./stryker-process.ts', import.meta.url));
  const child = spawn(process.execPath, [entry], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own: Stryker's runners end with it.
    detached: true,
    env: {
      ...process.env,
      HUSKPROOF_MUTATION_TESTS: JSON.stringify({ files: part.tests, claims: part.claims }),
      HUSKPROOF_MUTATION_RUN: JSON.stringify({
        mutate: options.mutate ?? part.files,
        force: options.force,
        incrementalFile: `.cache/mutation/${part.name}-${judgesDigest(part)}.json`,
        tempDirName: sandbox,
      }),
    },
  });
  return new Promise((resolve, reject) => {
    let log = '';
    const keep = (text: string) => {
      log = (log + text).slice(-keptLogCharacters);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    const endGroup = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch (error) {
        // Already gone: that is what was asked for.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const onAbort = () => {
      child.kill('SIGTERM');
      setTimeout(() => endGroup('SIGKILL'), graceMs).unref();
    };
    if (options.signal.aborted) onAbort();
    options.signal.addEventListener('abort', onAbort, { once: true });
    child.on('message', (message) => hear(message as PartMessage));
    child.on('error', reject);
    child.on('close', () => {
      options.signal.removeEventListener('abort', onAbort);
      endGroup('SIGKILL');
      // One that was killed leaves its copy of the sources behind.
      rmSync(`${root}${sandbox}`, { recursive: true, force: true });
      resolve(log);
    });
  });
}

/** Stryker reuses a result while line and test stand: it is given what it judged under the same code alone. */
function judgesDigest(part: Part): string {
  const hash = createHash('sha256');
  for (const file of judgingFiles(part)) hash.update(`${file}\0`).update(readFileSync(`${root}${file}`));
  return hash.digest('hex').slice(0, 16);
}
