/** A forkd on the fake VMM that builds a template, and is killed when it has inserted a sample, before it answers. */
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { EngineGround } from './engine-ground.ts';
import { socketIn } from './node-ground.ts';

const [folder = ''] = process.argv.slice(2);
const insert = WitnessStore.prototype.insert;
WitnessStore.prototype.insert = async function killed(snapshot, generation, keys) {
  const answer = await insert.call(this, snapshot, generation, keys);
  if (keys.some((key) => key.startsWith('sample:'))) process.kill(process.pid, 'SIGKILL');
  return answer;
};
const ground = new EngineGround(folder);
const { forkd } = await ground.start({ nodeSocket: socketIn(folder) });
const { snapshot } = await forkd.buildTemplate(ground.spec());
process.stdout.write(`${snapshot}\n`);
