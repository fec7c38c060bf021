/** How fast the whole catalogue is judged on the reference: the figure behind `pnpm test:properties`. */
import { runMatrix } from '#properties/matrix/matrix.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import type { Benchmark } from './benchmark.ts';

export const propertiesBenchmark: Benchmark = {
  summary:
    'the default run of pnpm test:properties: cases judged on the reference, on all cores (no peer exists)',
  async run() {
    const { summary } = await runMatrix({
      claims: [],
      subjects: [...builtInSubjects],
      seed: 1,
      signal: new AbortController().signal,
      command: 'pnpm test:properties',
    });
    const perSecond = summary.judgedCases / summary.seconds;
    return {
      measurements: [
        { name: 'judged cases on the reference', perSecond, unit: 'cases', rounds: [perSecond] },
      ],
      notes: [
        `${summary.judgedCases.toLocaleString('en-US')} cases in ${summary.seconds} s, ` +
          `${summary.asExpected}/${summary.cells} cells as declared`,
      ],
    };
  },
};
