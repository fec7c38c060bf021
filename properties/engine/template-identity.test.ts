/** What makes two templates the same one. */
import { expect, test } from 'vitest';
import type { Machine } from '#reference/contract/vmm-port.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { EngineGround } from './engine-ground.ts';
import { engineGuest } from './engine-guest.ts';

test('a template that was built by a VMM that is started otherwise is not taken for one of this', async () => {
  using ground = new EngineGround();
  const before = await ground.start();
  const built = await before.forkd.buildTemplate(ground.spec());
  await before.forkd.close();
  const guest = engineGuest();
  class Otherwise extends FakeVmm {
    override argumentsOf = (machine: Machine) => [...super.argumentsOf(machine), 'otherwise'];
  }
  const after = await ground.start({ vmm: new Otherwise(guest.program) });
  const anew = await after.forkd.buildTemplate(ground.spec());
  expect([guest.boots, anew.id === built.id]).toEqual([1, false]);
  await after.forkd.close();
});
