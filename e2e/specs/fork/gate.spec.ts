/** The gate: what runs and crosses before it, and every guest of the zoo before it, in each engine. */
import { declareForkTests } from '../../fixtures/declare-fork-tests.ts';

declareForkTests((template) => template.startsWith('zoo') || template === 'workload');
