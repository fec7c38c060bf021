/** Where reports go. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { reportFolderOr } from './report-folder.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('reports go where they usually do, or where they were asked for: from the root, or wherever that is', () => {
  for (const none of [undefined, '']) expect(reportFolderOr('reports/fork', none)).toBe('reports/fork');
  expect(reportFolderOr('reports/fork', 'reports/mine/')).toBe('reports/mine');
  expect(resolve(root, reportFolderOr('reports/fork', '/elsewhere/mine'))).toBe('/elsewhere/mine');
});
