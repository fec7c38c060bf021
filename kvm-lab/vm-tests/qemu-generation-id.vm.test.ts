/** What a VM generation ID does to the generator of a kernel that has the driver, seen from outside. */
import { expect, test } from 'vitest';
import type { Machine } from '#reference/contract/vmm-port.ts';
import { factsOf, Talk } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { contractBoot } from './contract-guest.ts';

/** Of Debian's, the cloud kernel of 6.1 has no driver for it. */
const withDriver = '6.1';
const settleMs = 2_000;
const patienceMs = 30_000;

/** How often the guest's kernel says that it renewed its generator for a fork, and whether it did. */
async function renewals(generationId: Machine['generationId']) {
  const vmm = await openQemu('tcg');
  const boot = await contractBoot({ generationId, memoryMiB: 160 }, withDriver);
  try {
    const template = await vmm.boot(boot.spec);
    const snapshot = await template.save(await factsOf(new Talk(template)));
    const vm = await (await vmm.prepare(snapshot, { tapFd: null })).resume();
    const talk = new Talk(vm);
    const until = performance.now() + (generationId === 'fresh' ? patienceMs : settleMs);
    let said = 0;
    while (said === 0 && performance.now() < until) said = Number(await talk.ask('forks'));
    const now = await vm.generator();
    snapshot.close();
    return { said, renewed: now?.keySha256 !== snapshot.manifest.generatorAtSnapshot?.keySha256 };
  } finally {
    await vmm.close();
    boot.close();
  }
}

test('a fresh one renews it in every fork; the same one again does nothing', async () => {
  expect(await renewals('fresh')).toEqual({ said: 1, renewed: true });
  // By its age the kernel may renew it at any time: only what it says of forks tells.
  expect((await renewals('stale')).said).toBe(0);
}, 300_000);
