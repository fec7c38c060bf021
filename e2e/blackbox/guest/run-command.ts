/**
 * A shell command of the user's, once: its output, bounded, and how it ended.
 * Invariant: when its time is over, its whole process group is gone with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { ofFork } from './endpoint.ts';

export interface CommandResult {
  /** null: it did not end by itself. */
  readonly code: number | null;
  readonly stdout: Buffer;
  /** The end of it, printable. */
  readonly stderr: string;
  /** How it ended, in words; empty: with exit code 0. */
  readonly failure: string;
}

const maxOutputOctets = 1 << 20;
const maxErrorChars = 300;
const killAfterMs = 2_000;

export function startCommand(command: string, n: number): ChildProcess {
  return spawn('/bin/sh', ['-c', ofFork(command, n)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORK: String(n) },
  });
}

/** To the whole group; false: there is none. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** SIGTERM, then SIGKILL; ends when the command has. */
export async function stopCommand(child: ChildProcess): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const ended = new Promise<void>((resolve) => {
    if (isOver() || child.pid === undefined) resolve();
    else child.once('exit', () => resolve());
  });
  if (!signalGroup(child, 'SIGTERM')) return ended;
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), killAfterMs);
  await ended;
  clearTimeout(timer);
  // What it started and left behind.
  signalGroup(child, 'SIGKILL');
}

export const printable = (text: string) =>
  text
    .trim()
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(-maxErrorChars);

export async function runCommand(
  command: string,
  n: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CommandResult> {
  const child = startCommand(command, n);
  const chunks: Buffer[] = [];
  let octets = 0;
  let stderr = '';
  let cut = '';
  const cutOff = (why: string) => {
    if (cut !== '') return;
    cut = why;
    void stopCommand(child);
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > maxOutputOctets) cutOff(`it printed more than ${maxOutputOctets} octets`);
    else chunks.push(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk.toString('latin1')}`.slice(-4 * maxErrorChars);
  });
  const timer = setTimeout(() => cutOff(`it did not end within ${timeoutMs} ms`), timeoutMs);
  const interrupted = () => cutOff('interrupted');
  signal.addEventListener('abort', interrupted, { once: true });
  const [code, killed] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('error', ({ message }) => {
      cut = `it could not be started: ${message}`;
      resolve([null, null]);
    });
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', interrupted);
  const ending = code === 0 ? '' : `it ended with ${code ?? killed}`;
  return {
    code,
    stdout: Buffer.concat(chunks),
    stderr: printable(stderr),
    failure: cut === '' ? ending : cut,
  };
}
