/**
 * For `node --import`: plants the mutant that HUSKPROOF_MUTANT names before anything of the reference is loaded,
 * in the process and in each thread that it starts. Test-only: nothing that ships imports it.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { loadMutants } from './catalogue.ts';
import { plant } from './patch-source.ts';

const id = process.env.HUSKPROOF_MUTANT ?? '';
const mutant = (await loadMutants()).find((other) => other.id === id);
if (mutant === undefined) {
  throw new CodedError('unknown-subject', `there is no mutant ${id}`, 'choose one of properties/mutants');
}
plant(mutant);
