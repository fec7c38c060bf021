/**
 * The rehearsed pool, on a fake VMM: what of a fork happens before anybody asks for it, and that the gate judges it as
 * strictly as every other: diverged by this seed, or refused.
 */
import { expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { rehearse } from '#reference/fork-engine/rehearsal.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { ForkedVms } from '#reference/forkd/forked-vms.ts';
import { Journal } from '#reference/forkd/journal.ts';
import { ReadyPool } from '#reference/forkd/ready-pool.ts';
import { VmSlots } from '#reference/forkd/vm-slots.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { type Engine, EngineGround, noSecrets, run } from './engine-ground.ts';
import type { PingManners } from './engine-guest.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const log = openLog('test', 'silent');
const shortMs = 100;

async function rehearsedPool(engine: Engine, ground: EngineGround, forks = 1): Promise<string> {
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  engine.guest.asked.length = 0;
  await engine.forkd.keepReady(id, forks, true);
  return id;
}

test('a rehearsed fork was asked for a ping and nothing else, and is a fork like every other once it is taken', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const template = await rehearsedPool(engine, ground);
  expect(engine.guest.asked).toEqual(['ping']);
  expect([engine.vmm.live, engine.forkd.sandboxes()]).toEqual([1, []]);
  const { id } = await engine.forkd.fork({ template, ...noSecrets });
  expect(engine.guest.asked.slice(0, 3)).toEqual(['ping', 'notify_forked', 'release']);
  expect((await run(engine, id, ['echo', 'hello'])).text).toBe('hello');
  // Filled again, behind the fork.
  await expect.poll(() => engine.guest.asked.filter((method) => method === 'ping').length).toBe(2);
  expect(engine.vmm.live).toBe(2);
  await engine.forkd.keepReady(template, 0);
  expect(engine.vmm.live).toBe(1);
  await engine.forkd.close();
  expect([engine.vmm.live, ground.left().journal]).toEqual([0, []]);
});

test('a pool is made anew when it shall be rehearsed, or shall not be any more', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const id = await rehearsedPool(engine, ground, 2);
  await engine.forkd.keepReady(id, 2, false);
  expect(engine.guest.asked).toEqual(['ping', 'ping']);
  expect(engine.vmm.live).toBe(2);
  await engine.forkd.keepReady(id, 3, true);
  expect(engine.guest.asked.length).toBe(5);
  expect(engine.vmm.live).toBe(3);
  await engine.forkd.close();
});

test.for(['silent', 'boolean', 'unchanged generator'] as const)(
  'a guest that is rehearsed well and then lies (%s) is refused and gone; the next fork is anew',
  async (lie) => {
    using ground = new EngineGround();
    const engine = await ground.start({ activation: { deadlineMs: shortMs } });
    const template = await rehearsedPool(engine, ground);
    engine.guest.lies.push(lie);
    await expect(engine.forkd.fork({ template, ...noSecrets })).rejects.toThrow(code('fork-refused'));
    expect((await engine.forkd.fork({ template, ...noSecrets })).releasedAfterMs).toBeGreaterThan(0);
    await engine.forkd.close();
    expect([engine.vmm.live, ground.left().journal]).toEqual([0, []]);
  },
);

test('siblings that show one sample are refused, rehearsed or not', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const template = await rehearsedPool(engine, ground, 2);
  engine.guest.lies.push('same sample', 'same sample');
  await engine.forkd.fork({ template, ...noSecrets });
  await expect(engine.forkd.fork({ template, ...noSecrets })).rejects.toThrow(code('fork-refused'));
  await engine.forkd.close();
});

/** Parts of an engine with a template's snapshot, for a test that drives them by itself. */
async function openParts(ground: EngineGround) {
  const engine = await ground.start();
  const template = await engine.forkd.buildTemplate(ground.spec());
  await engine.forkd.close();
  const { guest } = engine;
  const vmm = new FakeVmm(guest.program);
  const snapshot = await vmm.load(`${ground.state}/templates/${template.id}/snapshot`, template.snapshot);
  const store = await WitnessStore.open(`${ground.folder}/witnesses`, log);
  const { journal } = await Journal.open(`${ground.folder}/journal`);
  const activation = new Activation(store, log, { deadlineMs: 1_000 });
  const vms = new ForkedVms({ vmm, activation, journal, slots: new VmSlots({ spareMiB: 0 }), log });
  guest.asked.length = 0;
  return {
    ...{ vmm, guest, snapshot, journal, activation, vms },
    [Symbol.asyncDispose]: async () => {
      await vmm.close();
      snapshot.close();
      await journal.close();
      await store.close();
    },
  };
}

const sourceOf = ({ digest, manifest }: LoadedSnapshot) => ({
  ...{ digest, generatorAtSnapshot: manifest.generatorAtSnapshot, readsGenerator: true, generation: 0 },
});

test('a generator that the kernel renewed in the rehearsal is no reseed; a host that knew the snapshot’s alone took it for one', async () => {
  using ground = new EngineGround();
  await using parts = await openParts(ground);
  const { vmm, guest, snapshot, activation } = parts;
  const activate = async (asRehearsed: boolean) => {
    guest.lies.push('unchanged generator');
    const rehearsed = await rehearse(await vmm.prepare(snapshot, { tapFd: null }), 0, 1_000);
    const vm = await rehearsed.prepared.resume();
    const { control, generator } = rehearsed;
    const rehearsal = { control, generator: asRehearsed ? generator : snapshot.manifest.generatorAtSnapshot };
    return activation.activate({ vm, source: sourceOf(snapshot), rehearsal, reap: () => vm.stop() });
  };
  // The control: the window was open.
  expect((await activate(false)).generation).toBeGreaterThan(0);
  await expect(activate(true)).rejects.toThrow(/generator unchanged/);
});

test.for(['silent', 'no answer', 'thawed', 'of another generation'] satisfies PingManners[])(
  'a fork that answers its rehearsal as none would (%s) is stopped, and one that is prepared stands in its place',
  async (manners) => {
    using ground = new EngineGround();
    await using parts = await openParts(ground);
    const { vmm, guest, snapshot, journal, vms } = parts;
    guest.pings.push(manners);
    const prepared = await vmm.prepare(snapshot, { tapFd: null });
    await expect(rehearse(prepared, 0, shortMs)).rejects.toThrow(code('fork-refused'));
    await prepared.stop();
    // The pool would wait as long as it may.
    if (manners === 'silent') return;
    const pool = new ReadyPool(vms, snapshot, log);
    guest.pings.push(manners);
    await pool.resize(1, true);
    expect([pool.size, vmm.live, journal.size]).toEqual([1, 1, 1]);
    expect(pool.take()?.rehearsal).toBeNull();
    await pool.close();
  },
);

test.for(['twice', 'ends'] satisfies PingManners[])(
  'one that goes wrong while it waits (%s) is never handed out, and is gone with the next filling',
  async (manners) => {
    using ground = new EngineGround();
    await using parts = await openParts(ground);
    const { vmm, guest, snapshot, vms } = parts;
    const pool = new ReadyPool(vms, snapshot, log);
    guest.pings.push(manners);
    await pool.resize(1, true);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    const taken = pool.take();
    // One that went wrong in the rehearsal already is not there rehearsed.
    expect(taken?.rehearsal ?? null).toBeNull();
    if (taken !== null) await vms.discard(taken);
    await pool.fill();
    expect([pool.size, vmm.live]).toEqual([1, 1]);
    expect(pool.take()?.rehearsal).not.toBeNull();
    await pool.close();
  },
);

test('one that was rehearsed too long ago is never handed out, and another takes its place by itself', async () => {
  using ground = new EngineGround();
  await using parts = await openParts(ground);
  const { vmm, guest, snapshot, vms } = parts;
  const pool = new ReadyPool(vms, snapshot, log, shortMs);
  await pool.resize(1, true);
  expect(pool.size).toBe(1);
  guest.asked.length = 0;
  await expect.poll(() => guest.asked.length, { timeout: 20_000 }).toBeGreaterThan(1);
  await pool.resize(1, true);
  expect(vmm.live).toBe(1);
  await pool.close();
  expect(vmm.live).toBe(0);
  const old = new ReadyPool(vms, snapshot, log, -1);
  await old.resize(1, true);
  expect([old.size, old.take()]).toEqual([1, null]);
  await old.close();
  expect(vmm.live).toBe(0);
});
