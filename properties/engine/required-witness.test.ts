/**
 * Where a host-side witness is required, a fork of an engine that has none is refused with the reason and with what to
 * do, and reaped; where none is required the same guest passes.
 */
import { expect, test } from 'vitest';
import type { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import type { SnapshotManifest } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { forkSourceOf } from '#reference/fork-engine/fork-source.ts';
import { snapshotNamed, WitnessGround } from './witness-ground.ts';
import { generatorAtSnapshot, type Manners, ZooVm } from './zoo-vm.ts';

const deadlineMs = 5_000;
const log = openLog('test', 'silent');

/** Of a Firecracker whose memory is read in no piece. */
const manifest = {
  generatorAddress: null,
  generatorAtSnapshot: null,
  vmm: { name: 'firecracker', version: 'v1' },
  machine: { memoryMiB: 4_096, cpus: 1, cpuModel: 'None', guestMac: null, generationId: 'fresh' },
  guest: { protocolVersions: [1], kernelRelease: '6.1.0', generatorSymbol: 'ffffffff81000000' },
} as const satisfies Partial<SnapshotManifest>;

const readable = { ...manifest, generatorAddress: '1000', generatorAtSnapshot };

async function outcome(
  requireWitness: boolean,
  known: Partial<SnapshotManifest>,
  manners: Manners = 'well',
): Promise<{ readonly said: string; readonly remedy: string; readonly reaped: number }> {
  using ground = new WitnessGround();
  const store = await ground.open();
  const activation = new Activation(store, log, { deadlineMs, requireWitness });
  const source = forkSourceOf({ digest: snapshotNamed('witness'), manifest: known as SnapshotManifest }, 0);
  const context = { index: 0, deadlineMs, elapsedMs: 0, hostWitness: source.readsGenerator };
  const vm = new ZooVm('it', { guest: { kind: 'honest' }, manners, context }, { asked: null });
  let reaped = 0;
  const reap = async () => {
    reaped++;
    await vm.stop();
  };
  try {
    await activation.activate({ vm, source, reap });
    await activation.end(vm.id);
    return { said: 'released', remedy: '', reaped };
  } catch (error) {
    const { message, remediation } = error as CodedError;
    return { said: message, remedy: remediation, reaped };
  } finally {
    await store.close();
  }
}

test('an engine without a witness is refused where one is required, with why and with what to do', async () => {
  expect(await outcome(true, manifest)).toEqual({
    said: 'it was refused: no host-side witness: the memory of a Firecracker is read in one piece, which 4096 MiB are not',
    remedy: 'give the machine at most 3072 MiB, or use the VMM qemu',
    reaped: 1,
  });
});

test('the same guest passes where none is required, and where there is one', async () => {
  expect((await outcome(false, manifest)).said).toBe('released');
  expect((await outcome(true, readable)).said).toBe('released');
});

test('one that cannot be read is refused with what the VMM said, required or not', async () => {
  for (const required of [true, false]) {
    const { said, reaped } = await outcome(required, readable, 'the generator cannot be read');
    expect(said).toBe('it was refused: no host-side witness: memsave failed');
    expect(reaped).toBe(1);
  }
});
