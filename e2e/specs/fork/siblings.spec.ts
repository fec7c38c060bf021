/** Siblings of one snapshot on every subject: what they draw, what is credited, what runs of a changed snapshot. */
import { declareForkTests } from '../../fixtures/declare-fork-tests.ts';

declareForkTests((template) => !template.startsWith('zoo') && template !== 'workload');
