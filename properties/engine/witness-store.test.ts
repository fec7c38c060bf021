/** The store on the disk does what its model does, and a kill at any octet takes back no answer. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { WitnessAnswer } from '#reference/contract/witness-port.ts';
import { witnessContract } from './witness-contract.ts';
import { snapshotNamed, WitnessGround } from './witness-ground.ts';

witnessContract((ground, limits) => ground.open(limits));

test('what is no digest has no generation', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  await expect(store.nextGeneration('../../etc', 0)).rejects.toMatchObject({ code: 'witness-store-failed' });
  await store.close();
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
