/** The DNS proxy after the published fix of F1, as the matrix runs it. */
import { subjectTool } from '../subject-setup.ts';

export const tool = subjectTool(
  'published',
  'findings.md F1, published: decodes 64:ff9b::/96 and 2002::/16, blocks fec0::/10',
);
