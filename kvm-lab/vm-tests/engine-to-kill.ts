/** An engine with a template, a pool, forks and forks of forks, that says when it has them and waits to be killed. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { labEngine, labTemplate } from './lab-engine.ts';

const [folder = '', accelerator = 'tcg'] = process.argv.slice(2);
const engine = await labEngine(folder, accelerator as Accelerator);
const { id } = await engine.buildTemplate(await labTemplate());
await engine.keepReady(id, 1, true);
const source = await engine.fork({ template: id, network: null, secrets: [] });
await engine.forkSandbox(source.id, { replicas: 1, allowSecretInheritance: false });
process.stdout.write(`${JSON.stringify({ template: id })}\n`);
// And on, so that it is killed amid something.
for (;;) {
  const { id: next } = await engine.fork({ template: id, network: null, secrets: [] });
  await engine.terminate(next);
  await pause(1);
}
