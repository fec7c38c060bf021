/**
 * The catalogue: names are found, near misses are suggested, and a file that lies about its claim is
 * refused.
 */
import { describe, expect, test } from 'vitest';
import { listClaimIds, selectClaims, selectSubjects } from './catalogue.ts';
import { patchedSource } from './patch-source.ts';

describe('a selection', () => {
  test('of a finding always holds its claims and no other', async () => {
    const chosen = await selectClaims(['F2']);
    expect(chosen.length).toBeGreaterThan(3);
    expect(chosen.every((id) => id.startsWith('F2.'))).toBe(true);
  });

  test('of nothing is always everything', async () => {
    expect(await selectClaims([])).toEqual(await listClaimIds());
  });

  test('of a name that is not there is refused with the closest one', async () => {
    await expect(selectClaims(['F1.embeded'])).rejects.toMatchObject({
      code: 'unknown-claim',
      remediation: expect.stringContaining("did you mean 'F1.embedded'?"),
    });
    await expect(selectSubjects(['nobody'])).rejects.toMatchObject({ code: 'unknown-subject' });
  });
});

test('a mutant whose text is not there exactly once is refused as stale', () => {
  const mutant = {
    id: 'x',
    mistake: 'x',
    file: 'LICENSE',
    find: 'the',
    replace: '',
    killedBy: 'F1.embedded',
  } as const;
  expect(() => patchedSource(mutant)).toThrow(expect.objectContaining({ code: 'stale-mutant' }));
});
