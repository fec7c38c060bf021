/**
 * What only the guest can say of its kernel, for the host's look at the generator.
 * Invariant: the list of symbols is read in pieces: it is longer than a small guest should hold.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { release } from 'node:os';
import type { FactsReply } from '#reference/contract/guest-protocol.ts';

const symbolsFile = '/proc/kallsyms';
const pieceOctets = 1 << 16;
/** A line of it, and more. */
const longestLine = 1_024;
const generator = /^([0-9a-f]{16}) [a-zA-Z] base_crng$/m;
const hidden = '0'.repeat(16);

export function kernelFacts(): FactsReply {
  return { ok: true, node: process.version, kernel_release: release(), generator_symbol: generatorSymbol() };
}

function generatorSymbol(): string | null {
  const fd = openSync(symbolsFile, 'r');
  const buffer = Buffer.alloc(longestLine + pieceOctets);
  try {
    for (let held = 0, read = 1; read > 0; ) {
      read = readSync(fd, buffer, held, pieceOctets, null);
      const text = buffer.toString('latin1', 0, held + read);
      const found = generator.exec(text)?.[1];
      // Kernels that do not trust the reader show zeros.
      if (found !== undefined) return found === hidden ? null : found;
      const kept = Math.min(longestLine, held + read);
      buffer.copy(buffer, 0, held + read - kept, held + read);
      held = kept;
    }
    return null;
  } finally {
    closeSync(fd);
  }
}
