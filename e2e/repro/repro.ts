/**
 * `pnpm repro <finding|claim>`: the attack on `vulnerable`, `published` and `reference`, on the same input,
 * with the evidence and the command that replays it.
 */
import type { Claim } from '#properties/claims/claim.ts';
import { loadClaim, loadMutants, selectClaims } from '#properties/matrix/catalogue.ts';
import { runMatrix } from '#properties/matrix/matrix.ts';
import { type Observation, observeCase } from '#properties/matrix/observe-case.ts';
import type { CellRecord } from '#properties/matrix/record.ts';

export interface Reproduction {
  readonly claim: Claim;
  /** The cell whose counterexample is shown; null when nothing falsified the claim within the runs. */
  readonly found: CellRecord | null;
  readonly observations: readonly Observation[];
  readonly seed: number;
}

export interface ReproOptions {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly signal: AbortSignal;
}

/** Reproduces claim after claim; the most instructive subject that falsifies each one gives the input. */
export async function* reproduce(options: ReproOptions): AsyncGenerator<Reproduction> {
  const mutants = await loadMutants();
  for (const id of await selectClaims([options.target])) {
    if (options.signal.aborted) return;
    const claim = await loadClaim(id);
    const { vulnerable, published } = claim.expected.decision;
    // The residual of the published fix says most; then the original hole; a mutant shows what else the
    // claim sees.
    const mutant = mutants.find(({ killedBy }) => killedBy === id);
    const subject =
      published === 'falsified'
        ? 'published'
        : vulnerable === 'falsified'
          ? 'vulnerable'
          : mutant === undefined
            ? 'reference'
            : `mutant:${mutant.id}`;
    const report = await runMatrix({ ...options, claims: [id], subjects: [subject], command: 'pnpm verify' });
    const found = report.records.find(({ outcome }) => outcome === 'falsified') ?? null;
    const path = found?.replay.match(/ --path (\S+)/)?.[1];
    const observations =
      found === null || path === undefined ? [] : await observeCase(claim, found.seed, path);
    yield { claim, found, observations, seed: options.seed };
  }
}
