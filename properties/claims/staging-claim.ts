/** What the F2 claims have in common: a staging, judged by what the files hold in the end. */
import { notationOfStaging, plainStaging } from '../arbitraries/staging.ts';
import { contents, nameOf } from '../models/staged-files.ts';
import { runStaging, type StagingCase, type StagingRun } from '../models/stager.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import type { StagedVector } from '../vectors/generate/staged-files.ts';
import { loadCorpus } from '../vectors/load-corpus.ts';
import { type Claim, defineClaim } from './claim.ts';

/** A good download under the right digest is staged and booted. */
export function stagingWorks(subject: Subject): string | null {
  const { ends, booted } = runStaging(subject, plainStaging);
  const outcomes = ends.map(({ outcome }) => outcome).join(', ');
  const [kernel] = booted;
  const good = kernel !== undefined && nameOf(kernel) === 'good';
  return outcomes === 'staged, booted' && good ? null : `a good kernel ends ${outcomes}`;
}

export type StagingClaim = Pick<
  Claim<StagingCase>,
  'id' | 'statement' | 'source' | 'blindSpot' | 'expected' | 'arbitrary' | 'weight' | 'examples'
> & {
  /** What is wrong with the run, or null. */
  judgeRun(run: StagingRun, input: StagingCase): Omit<Violation, 'steps'> | null;
};

export function defineStagingClaim({ judgeRun, ...own }: StagingClaim): Claim<StagingCase> {
  return defineClaim<StagingCase>({
    ...own,
    decisions: ['kernel-digest'],
    control: stagingWorks,
    judge(subject, input) {
      const run = runStaging(subject, input);
      const violation = judgeRun(run, input);
      return violation === null ? null : { ...violation, steps: run.steps };
    },
    notation: notationOfStaging,
    observe(subject, input) {
      const { ends, booted } = runStaging(subject, input);
      const kernels = booted.map(nameOf).join(', ');
      const said = ends.map(({ phase, outcome, rule }) => `${phase}: ${outcome} (${rule})`).join('; ');
      return `${said}${kernels === '' ? '' : `; boots the ${kernels} file`}`;
    },
  });
}

export const isGood = (content: readonly [string, string] | null) =>
  content !== null && content[0] === contents.good[0] && content[1] === contents.good[1];

/** The published vectors whose staging is of this kind. */
export function stagedVectors(accepts: (input: StagingCase) => boolean): StagingCase[] {
  return loadCorpus<StagedVector>('staged-files')
    .vectors.map(({ input }) => input)
    .filter(accepts);
}
