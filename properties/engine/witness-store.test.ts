/** The store on the disk does what its model does, and a kill at any octet takes back no answer. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WitnessAnswer } from '#reference/contract/witness-port.ts';
import { WitnessStore as ModelStore } from '../models/witness-store.ts';
import { snapshotNamed, WitnessGround } from './witness-ground.ts';

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

test('the file answers as the model does, over restarts and what a crash cut off', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 12 }), async (steps) => {
      using ground = new WitnessGround();
      const model = new ModelStore(capacity);
      let store = await ground.open({ keys: capacity });
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
        store = await ground.open({ keys: capacity });
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

test('cut off at any octet, the file holds the records that were whole, and takes new ones', async () => {
  using ground = new WitnessGround();
  const snapshot = snapshotNamed('torn');
  const store = await ground.open();
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
    const reopened = await ground.open();
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
  const store = await ground.open();
  for (const key of ['a', 'b', 'c']) await store.insert(snapshot, 7, [`sample:${key}`]);
  await store.close();
  const whole = ground.read(snapshot);
  // Without its newline the last record is one that a crash cut off.
  for (let at = 0; at < whole.length - 1; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    ground.write(snapshot, damaged);
    const reopened = await ground.open();
    expect(await reopened.insert(snapshot, 8, ['sample:a']), `octet ${at}`).toBe('failed');
    await expect(reopened.nextGeneration(snapshot, 0)).rejects.toMatchObject({
      code: 'witness-store-failed',
    });
    await reopened.close();
  }
});

test('one writer: a second store of the folder is refused while the first lives', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  await expect(ground.open()).rejects.toMatchObject({ code: 'witness-store-taken' });
  await store.close();
  await (await ground.open()).close();
});

test('more snapshots than it may hold: full, and no generation for another one', async () => {
  using ground = new WitnessGround();
  const store = await ground.open({ snapshots: 1 });
  expect(await store.insert(snapshotNamed('one'), 1, ['sample:a'])).toBe('inserted');
  expect(await store.insert(snapshotNamed('two'), 1, ['sample:a'])).toBe('full');
  await expect(store.nextGeneration(snapshotNamed('two'), 0)).rejects.toMatchObject({
    code: 'witness-store-full',
  });
  await store.forget(snapshotNamed('one'));
  expect(await store.insert(snapshotNamed('two'), 1, ['sample:a'])).toBe('inserted');
  await store.close();
});

test.each([
  ['no digest', '../../etc', 1, ['sample:a']],
  ['no generation', snapshotNamed('one'), 0, ['sample:a']],
  ['no keys', snapshotNamed('one'), 1, []],
  ['a key twice', snapshotNamed('one'), 1, ['sample:a', 'sample:a']],
  ['a key without end', snapshotNamed('one'), 1, ['x'.repeat(10_000)]],
])('what is %s is never inserted', async (_what, snapshot, generation, keys) => {
  using ground = new WitnessGround();
  const store = await ground.open();
  expect(await store.insert(snapshot, generation, keys)).toBe('failed');
  await store.close();
});

/** Answers that a run said before it was killed. */
async function runUntilKilled(
  folder: string,
  snapshot: string,
  run: number,
): Promise<[WitnessAnswer, number, string][]> {
  const child = spawn(
    process.execPath,
    [new URL('./killed-store.ts', import.meta.url).pathname, folder, snapshot, String(run)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const said: [WitnessAnswer, number, string][] = [];
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise((resolve) => child.once('close', resolve));
  // A different point in each run: after so many answers, in whatever call it is then.
  lines.on('line', (line) => {
    const [answer, generation, key] = line.split(' ') as [WitnessAnswer, string, string];
    said.push([answer, Number(generation), key]);
    if (said.length === 5 + 7 * run) setTimeout(() => child.kill('SIGKILL'), run % 3);
  });
  await ended;
  return said;
}

test('killed with SIGKILL while it writes, it holds every key that it said it holds, and no generation comes twice', async () => {
  using ground = new WitnessGround();
  const snapshot = snapshotNamed('killed');
  const generations = new Set<number>();
  for (let run = 0; run < 12; run++) {
    const said = await runUntilKilled(ground.folder, snapshot, run);
    expect(said.length).toBeGreaterThan(0);
    const store = await ground.open();
    for (const [answer, generation, key] of said) {
      expect(answer).toBe('inserted');
      expect(generations.has(generation)).toBe(false);
      generations.add(generation);
      expect(await store.insert(snapshot, 1, [key])).toBe('present');
    }
    await store.close();
  }
});
