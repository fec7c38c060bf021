/**
 * Packages of Debian's archive, fetched by apt and unpacked in the cache; nothing is installed.
 * Invariant: a package is unpacked only when its SHA-256 is the pinned one.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { cached } from './cache-folder.ts';
import { type LockedPackage, sha256 } from './lock.ts';
import { runStep, type Say } from './run-step.ts';

const updateRemedy =
  'apt-get update, as root, and try again; if the archive no longer has it: pnpm lab artifacts --update';

/** A package while it is at hand. */
export interface FetchedPackage {
  readonly sha256: string;
  /** Path of the tar archive that is in it. */
  readonly archive: string;
}

/** Name in the cache of the folder that holds what the lock names of it. */
export const cacheName = (locked: LockedPackage) => `packages/${keyOf(locked)}`;

/** Folder that holds the files of it that the lock names. */
export function unpacked(locked: LockedPackage, say: Say): Promise<string> {
  return cached(cacheName(locked), async (folder) => {
    await withPackage(locked.package, locked.version, say, async ({ sha256: found, archive }) => {
      if (found !== locked.sha256) {
        throw new CodedError(
          'artifact-mismatch',
          `${locked.package} ${locked.version}: SHA-256 is ${found}, pinned is ${locked.sha256}`,
          'do not use it; find out why the archive holds another package of that version',
        );
      }
      await extract(archive, Object.keys(locked.files), folder, say);
    });
  });
}

/** Of one package several choices of files may be wanted over time. */
function keyOf({ sha256: digest, files }: LockedPackage): string {
  const choice = sha256([Buffer.from(JSON.stringify(Object.entries(files).sort()))]);
  return `${digest.slice(0, 32)}-${choice.slice(0, 16)}`;
}

/** Has it at hand for as long as `use` runs. @throws CodedError `artifact-missing` */
export async function withPackage<Result>(
  name: string,
  version: string,
  say: Say,
  use: (fetched: FetchedPackage) => Promise<Result>,
): Promise<Result> {
  const folder = makeLabFolder('artifact');
  try {
    // apt downloads as a user of its own where it can.
    chmodSync(folder, 0o777);
    const download = ['apt-get', 'download', '-q', `${name}=${version}`];
    const { code, words } = await runStep(download, {
      cwd: folder,
      say,
      what: `fetching ${name} ${version}`,
    });
    const [file] = readdirSync(folder).filter((entry) => entry.endsWith('.deb'));
    if (code !== 0 || file === undefined) {
      const why = words.split('\n').at(-1) ?? '';
      throw new CodedError(
        'artifact-missing',
        `${name} ${version} cannot be fetched: apt-get: ${why}`,
        updateRemedy,
      );
    }
    chmodSync(folder, 0o700);
    const digest = sha256([readFileSync(`${folder}/${file}`)]);
    const archive = `${folder}/data.tar`;
    await step(
      ['bash', '-c', 'dpkg-deb --fsys-tarfile "$1" > "$2"', 'data', `${folder}/${file}`, archive],
      say,
    );
    return await use({ sha256: digest, archive });
  } finally {
    removeLabFolder(folder);
  }
}

/** Paths of all that is in it. */
export async function filesOf({ archive }: FetchedPackage, say: Say): Promise<string[]> {
  const listed = await step(['tar', '--list', '--file', archive], say);
  return listed.split('\n').map((line) => line.replace(/^\.\//, ''));
}

/** Takes some files out of it. */
export async function extract(
  archive: string,
  files: readonly string[],
  folder: string,
  say: Say,
): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const members = files.map((file) => `./${file}`);
  await step(
    ['tar', '--extract', '--no-same-owner', '--file', archive, '--directory', folder, ...members],
    say,
  );
}

async function step(words: readonly string[], say: Say): Promise<string> {
  const { code, stdout, words: said } = await runStep(words, { say });
  if (code === 0) return stdout;
  throw new CodedError(
    'artifact-missing',
    `a package cannot be unpacked: ${said.split('\n')[0] ?? ''}`,
    'it needs dpkg, tar, bash, and space in the cache folder (HUSKPROOF_CACHE names another)',
  );
}
