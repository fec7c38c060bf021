/** Every attack and transition: `pnpm e2e:husk-network` as it is, and its report. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Report } from '#properties/matrix/record.ts';
import { kernelSeed } from './plan-attacks.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const script = `${root}e2e/husk-network.ts`;
const reportFile = `${root}reports/husk-network/report.json`;

export interface SuiteOptions {
  readonly claims: readonly string[];
  readonly subjects: readonly string[];
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** null: it did not get as far as a report. Its own table goes to stderr. */
export async function runSuite({ claims, subjects, seed, signal }: SuiteOptions): Promise<Report | null> {
  const escaped = claims.map((id) => id.replaceAll('.', '\\.'));
  const title = `(${escaped.join('|')}) .*(${subjects.join('|')})$`;
  // What an earlier run left is never taken for this one's.
  rmSync(reportFile, { force: true });
  const child = spawn(process.execPath, [script, '--grep', title], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, HUSKPROOF_SEED: String(kernelSeed(seed)) },
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => resolve());
  });
  signal.removeEventListener('abort', stop);
  return existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, 'utf8')) as Report) : null;
}
