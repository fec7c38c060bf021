/** The tree as the rules see it: tracked and new files, their text, and what they import. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const topFolders = ['reference', 'properties', 'kvm-lab', 'e2e'] as const;

/** Every file that git tracks or would track, from the repository root, sorted. */
export function repositoryFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return listed
    .split('\0')
    .filter((file) => file !== '' && existsSync(`${root}${file}`))
    .sort();
}

/** TypeScript files below the four top folders. */
export function sourceFiles(): string[] {
  return repositoryFiles().filter(
    (file) => file.endsWith('.ts') && topFolders.some((folder) => file.startsWith(`${folder}/`)),
  );
}

export function textOf(file: string): string {
  return readFileSync(`${root}${file}`, 'utf8');
}

export interface Import {
  readonly file: string;
  readonly specifier: string;
  /** The imported file from the repository root, or null for a package or a Node module. */
  readonly target: string | null;
}

const specifierPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*(?:\{[^}]*\}[^'"\n;]*)?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

/** Static and literal dynamic imports of a file. */
export function importsOf(file: string): Import[] {
  return [...textOf(file).matchAll(specifierPattern)].map((match) => {
    const specifier = match[1] ?? match[2] ?? '';
    return { file, specifier, target: resolve(file, specifier) };
  });
}

function resolve(file: string, specifier: string): string | null {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('.')) return posix.normalize(posix.join(dirname(file), specifier));
  return null;
}
