/** A whole suite of a tier, as its own command runs it, and the report that it leaves. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Report } from '#properties/matrix/record.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Suite {
  /** From the repository's root. */
  readonly script: string;
  readonly reportFolder: string;
  readonly claims: readonly string[];
  /** Of the tests' titles, which end in one of them; an expression. */
  readonly subjects: readonly string[];
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** null: it did not get as far as a report. Its own table goes to stderr. */
export async function runSuite({ script, reportFolder, claims, subjects, seed, signal }: Suite) {
  const reportFile = `${root}${reportFolder}/report.json`;
  const escaped = claims.map((id) => id.replaceAll('.', '\\.'));
  const title = `(${escaped.join('|')}) .*(${subjects.join('|')})$`;
  // What an earlier run left is never taken for this one's.
  rmSync(reportFile, { force: true });
  const child = spawn(process.execPath, [`${root}${script}`, '--grep', title], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, HUSKPROOF_SEED: String(seed), HUSKPROOF_REPORTS: reportFolder },
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
