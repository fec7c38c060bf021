/** Plants a mutant: patches one line of one reference file while Node loads it, in this thread only. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Mutant } from '../mutants/mutant.ts';

const root = new URL('../../', import.meta.url);

type Patch = Pick<Mutant, 'id' | 'file' | 'find' | 'replace'>;

/**
 * The file's text with the mutant's line in place.
 * @throws CodedError `stale-mutant` when the text does not occur exactly once
 */
export function patchedSource(mutant: Patch): string {
  const source = readFileSync(new URL(mutant.file, root), 'utf8');
  const occurrences = source.split(mutant.find).length - 1;
  if (occurrences !== 1 || mutant.find.includes('\n') || mutant.find === mutant.replace) {
    throw new CodedError(
      'stale-mutant',
      `mutant ${mutant.id} is stale: its text occurs ${occurrences} times in ${mutant.file}, or changes nothing`,
      'make `find` one unique piece of a line of the file as it stands now',
    );
  }
  return source.replace(mutant.find, () => mutant.replace);
}

/** Call before the reference is imported for the first time in this thread. */
export function plant(mutant: Patch): void {
  const source = patchedSource(mutant);
  const target = new URL(mutant.file, root).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      return url === target ? { ...loaded, source } : loaded;
    },
  });
}
