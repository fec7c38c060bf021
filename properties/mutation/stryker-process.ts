/** The process in which Stryker runs over one part; see run-part.ts, which starts it and hears what it judges. */
import { Stryker } from '@stryker-mutator/core';
import type { PartMessage } from './run-part.ts';

const run = JSON.parse(process.env.HUSKPROOF_MUTATION_RUN ?? 'null') as {
  mutate: string[];
  force: boolean;
  incrementalFile: string;
  tempDirName: string;
} | null;
if (run === null || process.send === undefined)
  throw new Error('stryker-process.ts is started by run-part.ts only');

const stryker = new Stryker({
  ...run,
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner', './properties/mutation/tested-mutant-reporter.ts'],
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  // With TypeScript 7, Stryker's rewriting of tsconfig.json fails; nothing here needs it.
  tsconfigFile: 'no-tsconfig.json',
  coverageAnalysis: 'perTest',
  incremental: true,
  concurrency: 1,
  // A mutant that never ends: Stryker counts its turns too, so that a slow machine makes no false kill.
  timeoutMS: 5_000,
  timeoutFactor: 3,
  dryRunTimeoutMinutes: 3,
  ignorePatterns: ['.cache', 'docs', 'reports', 'kvm-lab', 'e2e'],
  reporters: ['parent'],
  allowEmpty: true,
});
await stryker.runMutationTest();
process.send({ kind: 'done' } satisfies PartMessage);
process.disconnect();
