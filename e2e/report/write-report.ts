/** Writes a report file whole or not at all. */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

/**
 * Writes to a temporary file beside the target, then renames it.
 * @throws CodedError `report-not-written`; nothing is left behind then
 */
export function writeReport(path: string, text: string): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const descriptor = openSync(temporary, 'wx', 0o644);
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new CodedError(
      'report-not-written',
      `the report was not written to ${path}: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`,
      'name a file in a folder that exists, is writable and has space; nothing half-written was left',
      { cause },
    );
  }
}
