/**
 * The mutants of `reference/decisions` that no test kills, each with the reason why none should.
 * Invariant: the list is exact. `pnpm test:mutation` fails for a survivor that is not here, and for an entry whose
 * mutant is killed or gone.
 */
import { inAddressesAndNames } from './survivors/addresses-and-names.ts';
import { inKernelsPodsAndForks } from './survivors/kernels-pods-and-forks.ts';
import { inMessagesAndNames } from './survivors/messages-and-names.ts';
import type { Survivor } from './survivors/survivor.ts';
import { inTheRuleset } from './survivors/the-ruleset.ts';

export const survivors: readonly Survivor[] = [
  ...inAddressesAndNames,
  ...inKernelsPodsAndForks,
  ...inMessagesAndNames,
  ...inTheRuleset,
];
