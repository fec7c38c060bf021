/** The catalogue of attacks is what its readers count on: ids, cells, sources, frames. */

import { describe, expect, test } from 'vitest';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import type { GuestEnd, HuskPod } from '#kvm-lab/providers/network-lab.ts';
import { guest } from '#kvm-lab/providers/topology.ts';
import { listClaimIds, loadMutants, loadStatements } from '#properties/matrix/catalogue.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { stageOf } from '../fixtures/stage.ts';
import { allAttacks, attackNamed, families } from './catalogue.ts';
import { showpieces } from './showpieces.ts';

const end: GuestEnd = {
  place: guest,
  send: () => true,
  frames: [],
  beyond: 0,
  sent: async () => undefined,
  settled: async () => undefined,
  close: () => undefined,
};
const upstream = { upstream: { address: '10.244.1.10', port: 40_000 }, probed: [] };
const stage = stageOf({ ...upstream } as Partial<HuskPod> as HuskPod, end, null, 7);

describe('attacks', () => {
  test('are at least sixty, with unique ids that name their family', () => {
    const ids = allAttacks.map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(60);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [family, attacks] of Object.entries(families)) {
      expect(attacks.filter(({ id }) => !id.startsWith(`${family}.`)).map(({ id }) => id)).toEqual([]);
    }
  });

  test('always do something, and say what would show success and where they come from', () => {
    const empty = allAttacks.filter(
      ({ frames, act, prepare, shows, source, statement }) =>
        [frames, act, prepare].every((part) => part === undefined) || [shows, source, statement].includes(''),
    );
    expect(empty.map(({ id }) => id)).toEqual([]);
  });

  test('always say that the reference holds', () => {
    expect(allAttacks.filter(({ expected }) => expected.reference !== 'holds').map(({ id }) => id)).toEqual(
      [],
    );
  });

  test('always belong to a claim that says the same of each subject', async () => {
    const claims = await loadStatements(await listClaimIds());
    const cellsOf = (claim: string) =>
      Object.fromEntries(
        builtInSubjects.map((subject) => {
          const own = allAttacks.filter((attack) => attack.claim === claim);
          const isFalsified = own.some(({ expected }) => expected[subject] === 'falsified');
          return [subject, isFalsified ? 'falsified' : 'holds'];
        }),
      );
    const attacked = [...new Set(allAttacks.map(({ claim }) => claim))].sort();
    const declared = claims.filter(
      ({ id, expected }) => id.startsWith('F4.') && expected.kernel !== undefined,
    );
    expect(declared.map(({ id }) => id).sort()).toEqual(attacked);
    for (const { id, expected } of declared) {
      expect(expected.kernel, id).toEqual(cellsOf(id));
      // The same attacks, from inside a VM.
      expect(expected.vm, id).toEqual(cellsOf(id));
    }
  });

  test('of the option IPv6 and of floods are each falsified by a subject, or by a mutant that is there', async () => {
    const mutants = (await loadMutants()).map(({ id }) => id);
    const weak = allAttacks
      .filter(({ id, claim }) => id.startsWith('guest-ipv6.') || claim === 'F4.load')
      .filter(({ expected }) => !Object.values(expected).includes('falsified'))
      .filter(({ falsifiedBy = [] }) => falsifiedBy.length === 0);
    expect(weak.map(({ id }) => id)).toEqual([]);
    const named = allAttacks.flatMap(({ falsifiedBy = [] }) => falsifiedBy);
    expect(named.filter((id) => !mutants.includes(id))).toEqual([]);
  });

  test('name each mutant of tier kernel, so that none stands for nothing', async () => {
    const named = new Set(allAttacks.flatMap(({ falsifiedBy = [] }) => falsifiedBy));
    const own = (await loadMutants()).filter(
      ({ tier, killedBy }) => tier === 'kernel' && killedBy.startsWith('F4.'),
    );
    expect(own.filter(({ id }) => !named.has(id)).map(({ id }) => id)).toEqual([]);
    // The claim that kills it is one of an attack that names it.
    const wrong = own.filter(
      ({ id, killedBy }) => !allAttacks.some((a) => a.claim === killedBy && a.falsifiedBy?.includes(id)),
    );
    expect(wrong.map(({ id }) => id)).toEqual([]);
  });

  test('stand for a claim, one for each, and say of every subject what the claim says', async () => {
    const claims = await loadStatements(await listClaimIds());
    const declared = claims.filter(
      ({ id, expected }) => id.startsWith('F4.') && expected.kernel !== undefined,
    );
    expect(Object.keys(showpieces).sort()).toEqual(declared.map(({ id }) => id).sort());
    for (const { id, expected } of declared) {
      const attack = attackNamed(showpieces[id as `F4.${string}`] ?? '');
      expect(attack.claim).toBe(id);
      expect(attack.expected, attack.id).toEqual(expected.kernel);
    }
  });

  test('make frames that have a reading, the same for the same seed', () => {
    for (const { id, frames } of allAttacks) {
      for (const frame of frames?.(stage) ?? []) expect(() => readFrame(frame), id).not.toThrow();
    }
  });

  test('refuses a name that is none', () => {
    expect(() => attackNamed('sources.nowhere')).toThrow(expect.objectContaining({ code: 'unknown-attack' }));
  });
});
