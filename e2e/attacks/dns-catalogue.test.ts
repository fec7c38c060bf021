/** The catalogue of attacks on the DNS proxy is what its readers count on: ids, cells, claims, one showpiece each. */
import { describe, expect, test } from 'vitest';
import { listClaimIds, loadClaims, loadMutants } from '#properties/matrix/catalogue.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { allDnsAttacks, dnsAttackNamed, dnsFamilies } from './dns-catalogue.ts';

const claims = new Map((await loadClaims(await listClaimIds())).map((claim) => [claim.id, claim]));
const claimed = [...new Set(allDnsAttacks.map(({ claim }) => claim))];

describe('attacks on the DNS proxy', () => {
  test('are at least forty, with unique ids that name their family', () => {
    const ids = allDnsAttacks.map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(40);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [family, attacks] of Object.entries(dnsFamilies)) {
      expect(attacks.filter(({ id }) => !id.startsWith(`${family}.`)).map(({ id }) => id)).toEqual([]);
    }
  });

  test('always say that the reference holds, what would show success and where they come from', () => {
    const wrong = allDnsAttacks.filter(
      ({ expected, shows, source, statement }) =>
        expected.reference !== 'holds' || [shows, source, statement].includes(''),
    );
    expect(wrong.map(({ id }) => id)).toEqual([]);
  });

  test('only name claims that declare the same cells at tier kernel', () => {
    for (const id of claimed) {
      const own = allDnsAttacks.filter(({ claim }) => claim === id);
      const cellOf = (subject: (typeof builtInSubjects)[number]) => {
        const cells = own.map(({ expected }) => expected[subject]);
        if (cells.includes('falsified')) return 'falsified';
        return cells.includes('holds') ? 'holds' : 'no-input';
      };
      const seen = Object.fromEntries(builtInSubjects.map((subject) => [subject, cellOf(subject)]));
      const expected = claims.get(id)?.expected;
      expect([expected?.kernel, expected?.vm], id).toEqual([seen, seen]);
    }
  });

  test('are never vacuous: a subject, or a mutant over the wire, falsifies each claim', async () => {
    const mutants = await loadMutants();
    const known = new Set(mutants.map(({ id }) => id));
    const named = allDnsAttacks.flatMap(({ falsifiedBy = [] }) => falsifiedBy);
    expect(named.filter((id) => !known.has(id))).toEqual([]);
    const own = mutants.filter(
      ({ tier, file }) => tier === 'kernel' && file.startsWith('reference/dnsproxy/'),
    );
    expect(own.filter(({ id }) => !named.includes(id)).map(({ id }) => id)).toEqual([]);
    const vacuous = claimed.filter(
      (id) =>
        !allDnsAttacks.some(
          ({ claim, expected, falsifiedBy = [] }) =>
            claim === id && (Object.values(expected).includes('falsified') || falsifiedBy.length > 0),
        ),
    );
    expect(vacuous).toEqual([]);
  });

  test('have one showpiece for each claim', () => {
    const showpieces = allDnsAttacks.filter(({ showpiece }) => showpiece).map(({ claim }) => claim);
    expect(showpieces.toSorted()).toEqual(claimed.toSorted());
  });

  test('refuses a name that is none', () => {
    expect(() => dnsAttackNamed('dns-addresses.nowhere')).toThrow(
      expect.objectContaining({ code: 'unknown-attack' }),
    );
  });
});
