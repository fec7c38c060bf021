/**
 * A mutant of the reference's datapath as a harness drives it: `node datapath-main.ts <mutant>`.
 * Invariant: the line is planted before the reference is loaded; an unknown or stale mutant never starts.
 */
import { mutantNamed } from '../../matrix/catalogue.ts';
import { plant } from '../../matrix/patch-source.ts';

plant(await mutantNamed(process.argv[2] ?? ''));
await import('../reference/datapath-main.ts');
