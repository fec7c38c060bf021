/** docs/errors.md: every error code, from the catalogue of codes. */
import { errorCodes } from '#reference/contract/error-codes.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

export function errorsPage(): string {
  const rows = Object.entries(errorCodes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { means, remedy }]) => [`\`${code}\``, means, remedy]);
  return `# Errors\n\n${generatedNotice}\n\n${markdownTable(['code', 'means', 'what to do'], rows)}\n`;
}
