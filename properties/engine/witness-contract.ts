/**
 * What holds for the store behind the gate, wherever it stands: the same sentences on the store in the process and on
 * the store across the node socket.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WitnessPort } from '#reference/contract/witness-port.ts';
import type { WitnessLimits } from '#reference/fork-engine/witness-store.ts';
import { WitnessStore as ModelStore } from '../models/witness-store.ts';
import { snapshotNamed, WitnessGround } from './witness-ground.ts';

/** On the ground's folder; `close` closes all that was opened. */
export type OpenWitnesses = (ground: WitnessGround, limits?: Partial<WitnessLimits>) => Promise<WitnessPort>;

const capacity = 9;
const keyArbitrary = fc.uniqueArray(
  fc.constantFrom(...'abcdefghijkl').map((key) => `sample:${key}`),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const insertArbitrary = fc.record({
  snapshot: fc.constantFrom('one', 'two').map(snapshotNamed),
  keys: keyArbitrary,
});
const stepArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('insert' as const),
      inserts: fc.array(insertArbitrary, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'reopen' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('tear' as const),
      rest: fc.constantFrom('', '0', '01234567 {"generat', '\0\0\0'),
    }),
  },
);

export function witnessContract(open: OpenWitnesses): void {
  answersAsModel(open);
  outlivesCrashes(open);
  refusesWhatIsNone(open);
}

function answersAsModel(open: OpenWitnesses): void {
  test('the file answers as the model does, over restarts and what a crash cut off', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 12 }), async (steps) => {
        using ground = new WitnessGround();
        const model = new ModelStore(capacity);
        let store = await open(ground, { keys: capacity });
        let generation = 0;
        for (const step of steps) {
          if (step.what === 'insert') {
            const asked = step.inserts.map(({ snapshot, keys }) => ({
              snapshot,
              keys,
              generation: ++generation,
            }));
            const answers = await Promise.all(
              asked.map((one) => store.insert(one.snapshot, one.generation, one.keys)),
            );
            expect(answers).toEqual(asked.map((one) => model.insert(one.snapshot, one.generation, one.keys)));
            continue;
          }
          await store.close();
          if (step.what === 'tear') {
            for (const { snapshot } of model.inserts.slice(-1)) {
              ground.write(snapshot, Buffer.concat([ground.read(snapshot), Buffer.from(step.rest)]));
            }
          }
          store = await open(ground, { keys: capacity });
        }
        for (const made of model.inserts) {
          expect(await store.isAdmitted(made.snapshot, made.generation)).toBe(true);
          expect(await store.nextGeneration(made.snapshot, 0)).toBeGreaterThan(made.generation);
        }
        await store.close();
      }),
      { numRuns: 60 },
    );
  });
}

function outlivesCrashes(open: OpenWitnesses): void {
  test('cut off at any octet, the file holds the records that were whole, and takes new ones', async () => {
    using ground = new WitnessGround();
    const snapshot = snapshotNamed('torn');
    const store = await open(ground);
    const ends: number[] = [];
    await store.nextGeneration(snapshot, 41);
    const headerOctets = ground.read(snapshot).length;
    for (const key of ['a', 'b', 'c']) {
      expect(await store.insert(snapshot, await store.nextGeneration(snapshot, 0), [`sample:${key}`])).toBe(
        'inserted',
      );
      ends.push(ground.read(snapshot).length);
    }
    await store.close();
    const whole = ground.read(snapshot);
    for (let octets = 0; octets <= whole.length; octets++) {
      ground.write(snapshot, whole.subarray(0, octets));
      const reopened = await open(ground);
      const held = ends.filter((end) => end <= octets).length;
      for (const [index, key] of ['a', 'b', 'c'].entries()) {
        const answer = await reopened.insert(snapshot, 100 + index, [`sample:${key}`]);
        expect(answer, `${key} after ${octets} octets`).toBe(index < held ? 'present' : 'inserted');
      }
      if (octets >= headerOctets)
        expect(await reopened.nextGeneration(snapshot, 0)).toBeGreaterThan(42 + held - 1);
      await reopened.close();
    }
  });

  test('an octet that changed makes every insert fail, never succeed', async () => {
    using ground = new WitnessGround();
    const snapshot = snapshotNamed('damaged');
    const store = await open(ground);
    for (const key of ['a', 'b', 'c']) await store.insert(snapshot, 7, [`sample:${key}`]);
    await store.close();
    const whole = ground.read(snapshot);
    // Without its newline the last record is one that a crash cut off.
    for (let at = 0; at < whole.length - 1; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      ground.write(snapshot, damaged);
      const reopened = await open(ground);
      expect(await reopened.insert(snapshot, 8, ['sample:a']), `octet ${at}`).toBe('failed');
      await expect(reopened.nextGeneration(snapshot, 0)).rejects.toMatchObject({
        code: 'witness-store-failed',
      });
      await reopened.close();
    }
  });
}

function refusesWhatIsNone(open: OpenWitnesses): void {
  test.each([
    ['no digest', '../../etc', 1, ['sample:a']],
    ['no generation', snapshotNamed('one'), 0, ['sample:a']],
    ['no keys', snapshotNamed('one'), 1, []],
    ['a key twice', snapshotNamed('one'), 1, ['sample:a', 'sample:a']],
    ['a key without end', snapshotNamed('one'), 1, ['x'.repeat(10_000)]],
  ])('what is %s is never inserted', async (_what, snapshot, generation, keys) => {
    using ground = new WitnessGround();
    const store = await open(ground);
    expect(await store.insert(snapshot, generation, keys)).toBe('failed');
    await store.close();
  });
}
