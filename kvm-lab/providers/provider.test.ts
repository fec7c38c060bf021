/** A lab is had by the name of its provider; another name is refused with those that are there. */
import { expect, test } from 'vitest';
import { loadProvider, providerNamed, providerNames } from './provider.ts';

test('a name that no provider has is refused, with the valid ones', () => {
  expect(() => providerNamed('docker')).toThrow(
    expect.objectContaining({ code: 'unknown-provider', remediation: `valid: ${providerNames.join(', ')}` }),
  );
});

test('each name loads its own provider', async () => {
  for (const name of providerNames) expect((await loadProvider(providerNamed(name))).name).toBe(name);
});
