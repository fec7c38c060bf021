/** A store on a disk that is full: refused without effect, nothing that was answered is lost, and room mends it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { snapshotNamed } from './witness-ground.ts';

const log = openLog('test', 'silent');

test('a disk that is full refuses, keeps what it said it has, and takes more when there is room', async () => {
  const folder = mkdtempSync(`${tmpdir()}/huskproof-full-`);
  // In the mount namespace of this run.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  try {
    const snapshot = snapshotNamed('full');
    writeFileSync(`${folder}/ballast`, Buffer.alloc(32_768));
    const store = await WitnessStore.open(`${folder}/store`, log);
    const inserted: string[] = [];
    let refused = 0;
    for (let index = 0; refused < 5 && index < 2_000; index++) {
      const key = `sample:${index}`;
      const answer = await store.insert(snapshot, index + 1, [key, `witness:${'x'.repeat(100)}${index}`]);
      if (answer === 'inserted') inserted.push(key);
      else {
        expect(answer).toBe('failed');
        refused += 1;
      }
    }
    expect(refused).toBe(5);
    expect(inserted.length).toBeGreaterThan(20);
    expect(statfsSync(folder).bavail).toBe(0);
    rmSync(`${folder}/ballast`);
    // What was refused was refused without effect.
    expect(await store.insert(snapshot, 3_000, [`sample:${inserted.length}`])).toBe('inserted');
    await store.close();
    const again = await WitnessStore.open(`${folder}/store`, log);
    for (const key of inserted) expect(await again.insert(snapshot, 4_000, [key])).toBe('present');
    await again.close();
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
});
