/**
 * JSON values in an append-only file, one a line, each with a checksum.
 * Invariant: a line that a crash cut off is told from one that is damaged: only the first lacks its newline.
 */
import { crc32 } from 'node:zlib';

const checksumDigits = 8;

const checksum = (text: string) => crc32(text).toString(16).padStart(checksumDigits, '0');

export function checkedLine(value: object): string {
  const text = JSON.stringify(value);
  return `${checksum(text)} ${text}\n`;
}

export interface CheckedLines {
  readonly values: readonly unknown[];
  /** Octets of them: what follows was cut off. */
  readonly octets: number;
}

/** null: a line is damaged. */
export function readCheckedLines(octets: Buffer): CheckedLines | null {
  const values: unknown[] = [];
  let whole = 0;
  for (;;) {
    const end = octets.indexOf(10, whole);
    if (end === -1) return { values, octets: whole };
    const line = octets.toString('utf8', whole, end);
    const text = line.slice(checksumDigits + 1);
    if (line[checksumDigits] !== ' ' || line.slice(0, checksumDigits) !== checksum(text)) return null;
    try {
      values.push(JSON.parse(text));
    } catch {
      return null;
    }
    whole = end + 1;
  }
}
