/**
 * The parts of `reference/decisions` that are mutated one after the other, each with the tests that judge it.
 * Invariant: a new decision is a part by itself, and its unit tests, corpora and claims are found, not listed.
 */
import type { ClaimId } from '../claims/claim.ts';
import { listClaimIds, loadClaims } from '../matrix/catalogue.ts';
import { type Import, importsOf, repositoryFiles, sourceFiles, textOf } from '../tidy/source-files.ts';

const decisionsFolder = 'reference/decisions/';
const subjectsFolder = 'properties/subjects/reference/';

export interface Part {
  /** A folder or a single file below `reference/decisions`, without its ending: `pin-address`, `reseed-gate`. */
  readonly name: string;
  /** Files to mutate, from the repository root. */
  readonly files: readonly string[];
  /** Test files that can reach a mutant of the part. */
  readonly tests: readonly string[];
  /** Claims that can: those on a decision whose reference subject imports the part. */
  readonly claims: readonly ClaimId[];
  /** Decisions that those tests and claims run beside the part. */
  readonly beside: readonly string[];
}

/** Every part, in alphabetical order. */
export async function listParts(): Promise<Part[]> {
  const claims = await loadClaims(await listClaimIds());
  const sources = sourceFiles();
  const mutated = sources.filter(isDecision);
  const byName = Map.groupBy(mutated, partOf);
  const imports = sources
    .flatMap(importsOf)
    .filter((entry): entry is Import & { target: string } => entry.target !== null);
  const importers = Map.groupBy(imports, ({ target }) => target);
  const imported = Map.groupBy(imports, ({ file }) => file);
  return [...byName].sort().map(([name, files]) => {
    const decisions = reach(files, (file) => (importers.get(file) ?? []).map((entry) => entry.file))
      .filter((file) => file.startsWith(subjectsFolder) && !file.endsWith('.test.ts'))
      .map((file) => file.slice(subjectsFolder.length, -'.ts'.length));
    const judging = claims.filter((claim) =>
      claim.decisions.some((decision) => decisions.includes(decision)),
    );
    const tests = testsOf(name, files, sources, decisions);
    const subjects = judging.flatMap((claim) => claim.decisions.map((one) => `${subjectsFolder}${one}.ts`));
    const run = reach([...tests, ...subjects], (file) =>
      (imported.get(file) ?? []).map(({ target }) => target),
    );
    const beside = run.filter((file) => mutated.includes(file) && !files.includes(file)).sort();
    return { name, files, tests, claims: judging.map(({ id }) => id), beside };
  });
}

/** Tests decide nothing, nor do the samples that they begin with. */
export function isDecision(file: string): boolean {
  return file.startsWith(decisionsFolder) && file.endsWith('.ts') && !/(\.test|-samples)\.ts$/.test(file);
}

function partOf(file: string): string {
  return file.slice(decisionsFolder.length).replace(/(\/.*|\.ts)$/, '');
}

/** Unit tests that import a file of the part or its samples, and tests of corpora that load its decisions by name. */
function testsOf(
  part: string,
  files: readonly string[],
  sources: readonly string[],
  decisions: readonly string[],
): string[] {
  const loadsByName = (file: string) => {
    const text = textOf(file);
    return text.includes('loadSubject(') && decisions.some((name) => text.includes(`'${name}'`));
  };
  const importsIt = (file: string): boolean =>
    importsOf(file).some(
      ({ target }) =>
        target !== null && (files.includes(target) || (target.endsWith('-samples.ts') && importsIt(target))),
    );
  // A unit test that draws its own cases has no fixed seed: the claims below have one.
  const isDrawn = (file: string) => textOf(file).includes("from 'fast-check'");
  const judges = sources.filter(
    (file) =>
      file.endsWith('.test.ts') &&
      ((file.startsWith(decisionsFolder) && importsIt(file) && !isDrawn(file)) ||
        (file.startsWith('properties/vectors/') && loadsByName(file))),
  );
  // Its own tests first, of those the ones that state its rules; then whoever uses it, then the costly ones.
  const distance = (file: string) => {
    if (!file.startsWith(decisionsFolder)) return 3;
    if (!file.startsWith(`${decisionsFolder}${part}`)) return 2;
    return file.endsWith('-rules.test.ts') ? 0 : 1;
  };
  judges.sort((a, b) => distance(a) - distance(b));
  return [...judges, 'properties/mutation/reference-claims.spec.ts'];
}

/** The files, and all that come after them, each once. */
function reach(files: readonly string[], next: (file: string) => readonly string[]): string[] {
  const found = new Set(files);
  // A set is walked through to what is added meanwhile.
  for (const file of found) for (const one of next(file)) found.add(one);
  return [...found];
}

/**
 * Files whose change makes every earlier judgement of the part void. Stryker itself sees a change of a test, and of
 * the line that a mutant changes; it does not see what else the tests run.
 */
export function judgingFiles(part: Part): string[] {
  const run = new Set([...part.files, ...part.beside]);
  const isElsewhere = (file: string) => file.startsWith(decisionsFolder) && !run.has(file);
  const judging =
    /^(reference|properties\/(arbitraries|claims|matrix|models|oracles|protocol|subjects|vectors))\/.*\.(ts|json)$/;
  const tooling = ['package.json', 'pnpm-lock.yaml', 'vitest.mutation.config.ts'];
  return repositoryFiles().filter(
    (file) =>
      tooling.includes(file) || (judging.test(file) && !file.endsWith('.test.ts') && !isElsewhere(file)),
  );
}
