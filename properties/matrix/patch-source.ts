/**
 * Plants a mutant: patches one line of one reference file while Node loads it. A planted reference is a module
 * graph of its own beside the real one, so that one thread can judge many.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Mutant } from '../mutants/mutant.ts';

const root = new URL('../../', import.meta.url);

export type Patch = Pick<Mutant, 'id' | 'file' | 'find' | 'replace'>;

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

/** Of these folders a planted reference has its own copies; everything else is shared. */
const copied = ['reference/contract/', 'reference/decisions/', 'properties/subjects/reference/'].map(
  (folder) => new URL(folder, root).href,
);
const planted = new Map<string, { readonly target: string; readonly source: string }>();

/** The mutant that a module belongs to; null: the real reference, or none of ours. */
function mutantOf(url: string | undefined): string | null {
  return url === undefined ? null : new URL(url).searchParams.get('mutant');
}

/**
 * What to append to the specifier of a reference module, or of a subject's: from there on everything that it
 * imports is the planted copy.
 * @throws CodedError `stale-mutant`
 */
export function plantCopy(mutant: Patch): string {
  const source = patchedSource(mutant);
  if (planted.size === 0) registerCopies();
  planted.set(mutant.id, { target: new URL(mutant.file, root).href, source });
  return `?mutant=${mutant.id}`;
}

function registerCopies(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const id = mutantOf(context.parentURL);
      const isCopied = id !== null && copied.some((folder) => resolved.url.startsWith(folder));
      return isCopied ? { ...resolved, url: `${resolved.url}?mutant=${id}` } : resolved;
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const mutant = planted.get(mutantOf(url) ?? '');
      return mutant !== undefined && url.startsWith(`${mutant.target}?`)
        ? { ...loaded, source: mutant.source }
        : loaded;
    },
  });
}

/**
 * Plants the mutant in the reference itself, for a thread that runs nothing else. Call before the reference is
 * imported for the first time.
 * @throws CodedError `stale-mutant`
 */
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
