/** Stryker's reporter plugin that sends each judged mutant to the parent process, so that a run may be cut off. */
import type { StrykerMutant } from './judged-mutant.ts';
import type { PartMessage } from './run-part.ts';

function send(message: PartMessage): void {
  process.send?.(message);
}

const reporter = {
  onMutationTestingPlanReady({ mutantPlans }: { readonly mutantPlans: readonly unknown[] }): void {
    send({ kind: 'planned', mutants: mutantPlans.length });
  },
  onMutantTested(mutant: StrykerMutant): void {
    const { fileName, mutatorName, replacement, location, status } = mutant;
    send({ kind: 'judged', mutant: { fileName, mutatorName, replacement, location, status } });
  },
};

export const strykerPlugins = [{ kind: 'Reporter', name: 'parent', value: reporter }];
