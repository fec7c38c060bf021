/** A VM that ends by itself, under an engine on a fake VMM. */
import { expect, test } from 'vitest';
import { EngineGround, noSecrets } from './engine-ground.ts';

test('a VM that ends by itself takes its sandbox along, and its engine closes', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  await engine.forkd.fork({ template: id, ...noSecrets });
  const ended = new Promise((resolve) => engine.forkd.onEnded(resolve));
  // To the engine each of its VMs dies.
  await engine.vmm.close();
  await ended;
  expect(engine.forkd.sandboxes()).toEqual([]);
  await engine.forkd.close();
  expect(ground.left().journal).toEqual([]);
});
