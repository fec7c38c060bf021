/** Templates of an engine that has a storage key: on the disk they are encrypted, and erased with their owner. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EngineGround, noSecrets, run } from './engine-ground.ts';

test('a template is found again with its key alone, nothing of it is to be read, and removed it is gone', async () => {
  using ground = new EngineGround();
  const stored = (id: string) => readFileSync(`${ground.state}/templates/${id}/snapshot/memory`, 'latin1');
  const plain = await ground.start();
  const { id: open } = await plain.forkd.buildTemplate(ground.spec());
  // What the fake keeps of its guest, as it is found where there is no key.
  expect(stored(open)).toContain('"generator"');
  await plain.forkd.removeTemplate(open);
  await plain.forkd.close();

  ground.storageKey = createSecretKey(randomBytes(32));
  const built = await ground.start();
  const { id } = await built.forkd.buildTemplate(ground.spec());
  expect(stored(id)).not.toContain('"generator"');
  await built.forkd.close();

  const again = await ground.start();
  const sandbox = await again.forkd.fork({ template: id, ...noSecrets });
  expect((await run(again, sandbox.id, ['echo', 'hello'])).text).toBe('hello');
  await again.forkd.close();

  const { storageKey } = ground;
  for (const [other, field] of [
    [createSecretKey(randomBytes(32)), /: memory.key: /],
    [null, /: memory.encryption: /],
  ] as const) {
    ground.storageKey = other;
    const refusing = await ground.start();
    const fork = refusing.forkd.fork({ template: id, ...noSecrets });
    await expect(fork).rejects.toThrow(field);
    await expect(fork).rejects.toMatchObject({ code: 'snapshot-mismatch' });
    await refusing.forkd.close();
  }
  ground.storageKey = storageKey;
  const last = await ground.start();
  await last.forkd.removeTemplate(id);
  await last.forkd.close();
  expect(ground.left()).toEqual({ templates: [], witnesses: [], journal: [] });
});
