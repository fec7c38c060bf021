/** The DNS proxy before the fix of F1, as the matrix runs it. */
import { subjectTool } from '../subject-setup.ts';

export const tool = subjectTool(
  'vulnerable',
  'findings.md F1, vulnerable: the address filter before the fix',
);
