/** A process that inserts witnesses as fast as the store takes them, and says each answer: killed by a test. */
import { openLog } from '#reference/base/log.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';

const [folder = '', snapshot = '', run = ''] = process.argv.slice(2);
const store = await WitnessStore.open(folder, openLog('killed', 'error'));

async function insertWithoutEnd(lane: number): Promise<never> {
  for (let index = 0; ; index++) {
    const generation = await store.nextGeneration(snapshot, 0);
    const key = `sample:${run}-${lane}-${index}`;
    const answer = await store.insert(snapshot, generation, [key, `generation:${generation}`]);
    process.stdout.write(`${answer} ${generation} ${key}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(insertWithoutEnd));
