/** Where a run took place, as far as a reader needs it to repeat the run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Environment } from './record.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const programTimeoutMs = 5_000;

export function readEnvironment(): Environment {
  return {
    commit: readCommit(),
    kernel: release(),
    node: process.version,
    cores: availableParallelism(),
    ...nftVersion(),
  };
}

/** Only where it is: tier decision needs none. */
function nftVersion(): { nft?: string } {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { stdout, status } = spawnSync('nft', ['--version'], {
    encoding: 'utf8',
    timeout: programTimeoutMs,
    env,
  });
  const version = /v(\S+)/.exec(stdout ?? '')?.[1];
  return status === 0 && version !== undefined ? { nft: version } : {};
}

function readCommit(): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, {
      cwd: root,
      encoding: 'utf8',
      timeout: programTimeoutMs,
      stdio: 'pipe',
    }).trim();
  try {
    const commit = git('rev-parse', 'HEAD');
    return git('status', '--porcelain').length > 0 ? `${commit}+changes` : commit;
  } catch (error) {
    // No git, no repository or no commit: the field says so; a report is worth having without it.
    return error instanceof Error ? 'unknown' : String(error);
  }
}

const digests = new Map<string, string>();

/**
 * sha256 over the files that make a built-in subject: its own folder, and for the reference its decisions.
 */
export function subjectDigest(subject: string): string {
  const digest = digests.get(subject) ?? computeDigest(subject);
  digests.set(subject, digest);
  return digest;
}

function computeDigest(subject: string): string {
  const folders = [`properties/subjects/${subject}`];
  // A form of the reference, or a mutant of it.
  if (/^(reference|mutant)(:|$)/.test(subject)) {
    folders.splice(0, 1, 'properties/subjects/reference', 'reference');
  }
  const hash = createHash('sha256').update(subject.includes(':') ? subject : '');
  for (const folder of folders) {
    const files = readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
      .map((entry) => `${entry.parentPath}/${entry.name}`)
      .sort();
    for (const file of files) hash.update(`${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}
