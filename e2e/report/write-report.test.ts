/** A report is written whole or not at all. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { writeReport } from './write-report.ts';

const folder = makeLabFolder('report');
afterAll(() => removeLabFolder(folder));

describe('a report', () => {
  test('always replaces the one before it', () => {
    const file = join(folder, 'report.json');
    writeFileSync(file, 'old');
    writeReport(file, 'new');
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['report.json']);
  });

  test('never leaves a temporary file when it cannot be put in place', () => {
    const occupied = join(folder, 'occupied');
    mkdirSync(join(occupied, 'by-a-folder'), { recursive: true });
    expect(() => writeReport(occupied, 'new')).toThrow(
      expect.objectContaining({ code: 'report-not-written' }),
    );
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
