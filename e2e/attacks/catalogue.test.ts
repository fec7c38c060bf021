/** The catalogue of attacks is what its readers count on: ids, cells, sources, frames. */

import { describe, expect, test } from 'vitest';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import type { GuestEnd, HuskPod } from '#kvm-lab/providers/network-lab.ts';
import { guest } from '#kvm-lab/providers/topology.ts';
import { stageOf } from '../fixtures/stage.ts';
import { allAttacks, attackNamed, families } from './catalogue.ts';

const end: GuestEnd = { place: guest, send: () => true, frames: [], beyond: 0, close: () => undefined };
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

  test('are falsified by a subject, each claim of them', () => {
    const claims = new Set(allAttacks.map(({ claim }) => claim));
    const falsified = new Set(
      allAttacks
        .filter(({ expected }) => Object.values(expected).includes('falsified'))
        .map(({ claim }) => claim),
    );
    // What floods do to the published rules was not seen to stop a probe.
    expect([...claims].filter((claim) => !falsified.has(claim))).toEqual(['F4.load']);
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
