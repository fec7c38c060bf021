/** One child process of the lab's builds: bounded in time and output, and heard of when it takes long. */
import { spawn } from 'node:child_process';
import { markedEnvironment } from '../leftovers/owner.ts';

export interface StepResult {
  /** null: it did not start, or ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last of what it said on stderr, or why it did not start. */
  readonly words: string;
}

const stepTimeoutMs = 300_000;
const maxOutputOctets = 16 * 1024 * 1024;
const maxWordsLength = 2_000;
/** When it is first heard of, and then how often. */
const longMs = 2_000;
const againMs = 10_000;

export type Say = (line: string) => void;

export function runStep(
  [program = '', ...words]: readonly string[],
  { cwd, say, what = program }: { readonly cwd?: string; readonly say?: Say; readonly what?: string } = {},
): Promise<StepResult> {
  const child = spawn(program, words, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...markedEnvironment(), PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
    timeout: stepTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const startMs = performance.now();
  const tell = () => {
    say?.(`${what}: ${Math.round((performance.now() - startMs) / 1_000)} s so far`);
    timer = setTimeout(tell, againMs);
  };
  let timer = setTimeout(tell, longMs);
  return new Promise((resolve) => {
    let stdout = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.length > maxOutputOctets) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-maxWordsLength);
    });
    const end = (code: number | null, why: string) => {
      clearTimeout(timer);
      resolve({ code, stdout, words: `${said.trim()}${why}`.trim() });
    };
    child.on('error', (error) => end(null, error.message));
    child.on('close', (code, signal) => end(code, signal === null ? '' : ` ended by ${signal}`));
  });
}
