/** Where a run's reports and evidence go. */
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * From the repository's root. HUSKPROOF_REPORTS: another place, from there or absolute, for a run beside one whose
 * reports are wanted.
 */
export function reportFolderOr(usual: string, asked = process.env.HUSKPROOF_REPORTS): string {
  return asked === undefined || asked === '' ? usual : relative(root, resolve(root, asked));
}
