/** Runs the command line as a user does, in a process of its own, with a deadline. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Path of the command line's entry. */
export const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const usualDeadlineMs = 60_000;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  /** Called with what has been printed so far: to interrupt a run in the middle. */
  readonly onOutput?: (soFar: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Close our end of stdout after so many octets, as `head` does. */
  readonly closeStdoutAfter?: number;
  /** A shell prefix that sets limits: `ulimit -f 1;` */
  readonly shellPrefix?: string;
  readonly deadlineMs?: number;
}

export function runCli(words: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const command =
    options.shellPrefix === undefined
      ? ([process.execPath, [cli, ...words]] as const)
      : ([
          'bash',
          ['-c', `${options.shellPrefix} exec "$@"`, 'bash', process.execPath, cli, ...words],
        ] as const);
  const child = spawn(command[0], command[1], { cwd: root, env: { ...process.env, NO_COLOR: '1' } });
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), options.deadlineMs ?? usualDeadlineMs);
    const heard = () => options.onOutput?.(stdout + stderr, (signal) => child.kill(signal));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (options.closeStdoutAfter !== undefined && stdout.length >= options.closeStdoutAfter)
        child.stdout.destroy();
      heard();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      heard();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      // A verb that refuses its arguments ends before it reads: that is no failure of the test.
      if (error.code !== 'EPIPE') reject(error);
    });
    child.stdin.end(options.input ?? '');
  });
}
