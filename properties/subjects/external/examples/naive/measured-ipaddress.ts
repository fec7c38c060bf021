/**
 * What Python's `ipaddress` decided when it was measured, by version: kept in the repository, since a page
 * that is generated everywhere cannot ask for Python everywhere. Where python3 is there, a test measures
 * again.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { emptyPolicy } from '../../../../arbitraries/addresses.ts';
import { type AddressVector, generate } from '../../../../vectors/generate/addresses.ts';
import { converse } from '../../conversation.ts';

export interface Measurement {
  /** As `platform.python_version()` says. */
  readonly python: string;
  /** The addresses that it pinned, of those that were asked. */
  readonly pinned: readonly string[];
}

export interface Measured {
  readonly filter: string;
  readonly asked: readonly string[];
  readonly measurements: readonly Measurement[];
}

export const measuredFile = fileURLToPath(
  new URL('../../../../vectors/measured/ipaddress.json', import.meta.url),
);
const adapter = fileURLToPath(new URL('../python/pin_address.py', import.meta.url));

export function readMeasured(): Measured {
  return JSON.parse(readFileSync(measuredFile, 'utf8')) as Measured;
}

/** The corpus as far as a filter without a policy can decide it; each address once. */
export function naiveVectors(): AddressVector[] {
  const byAddress = new Map<string, AddressVector>();
  for (const vector of generate().vectors) {
    const isPlain = Object.values(vector.config).every((entries) => entries.length === 0);
    if (isPlain && !byAddress.has(vector.input.address)) byAddress.set(vector.input.address, vector);
  }
  return [...byAddress.values()];
}

/** The version of a Python, or null when there is none. */
export function pythonVersion(python: string): string | null {
  try {
    const program = 'import platform; print(platform.python_version())';
    return execFileSync(python, ['-c', program], { encoding: 'utf8' }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Asks the adapter in Python for every address, over the subject protocol. */
export async function measureIpaddress(python: string): Promise<readonly string[]> {
  const addresses = naiveVectors().map(({ input }) => input.address);
  const pinned: string[] = [];
  const script = {
    inputs: addresses.map((address) => ({ address })),
    count: addresses.length,
    continues: false,
    hear(id: number, answer: object) {
      const { output } = answer as { output?: { verdict?: string } };
      if (output?.verdict === 'pin') pinned.push(addresses[id] ?? '');
    },
  };
  const { outcome, reason } = await converse([python, adapter], script, {
    decision: 'pin-address',
    config: emptyPolicy,
    answerTimeoutMs: 20_000,
    signal: new AbortController().signal,
  });
  if (outcome !== 'answered') throw new Error(`${python} ${adapter}: ${outcome}, ${reason}`);
  const order = new Map(addresses.map((address, index) => [address, index]));
  return pinned.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}
