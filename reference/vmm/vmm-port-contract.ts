/**
 * What every VMM does, told as tests: run on the fake everywhere, and on QEMU where it is.
 * Its guest answers lines: `ping` → pong, `print X` on its console, `remember X`, `recall` → X, `reseed` → ok once its
 * kernel has, `symbol` → that of base_crng or `none`, `release`, and `die`; `disk-read S` and `disk-write S X` for the
 * first line of the block device of serial S; on `services` every line X with `services X`.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMemfd } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, RunningVm } from '#reference/contract/vmm-port.ts';
import { factsOf, refusalOf, Talk, type VmmGround, within } from './contract-talk.ts';
import { digestOf, manifestText } from './manifest/manifest.ts';
import { snapshotContract } from './snapshot-contract.ts';
import { volumeContract } from './volumes/volume-contract.ts';

const patienceMs = 60_000;
const bootPatienceMs = 2 * patienceMs;
const silenceMs = 250;
const noPlace = { tapFd: null };

const descriptorsOpen = () => readdirSync('/proc/self/fd').length;

/** One ground and one template for all tests; the template remembers `template`. */
class Stage {
  ground!: VmmGround;
  snapshot!: LoadedSnapshot;
  folder!: string;

  async open(make: () => Promise<VmmGround>): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'vmm-contract-'));
    this.ground = await make();
    const vm = await this.ground.vmm.boot(this.ground.spec);
    const talk = new Talk(vm);
    await talk.ask('remember template');
    this.snapshot = await vm.save(await factsOf(talk));
  }

  async close(): Promise<void> {
    this.snapshot?.close();
    await this.ground?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async fork(from = this.snapshot): Promise<{ readonly vm: RunningVm; readonly talk: Talk }> {
    const vm = await (await this.ground.vmm.prepare(from, noPlace)).resume();
    return { vm, talk: new Talk(vm) };
  }
}

export function vmmPortContract(make: () => Promise<VmmGround>): void {
  const stage = new Stage();
  beforeAll(() => stage.open(make), bootPatienceMs);
  afterAll(() => stage.close());
  bootContract(stage);
  forkContract(stage);
  endContract(stage);
  volumeContract(stage);
  snapshotContract(stage);
}

function bootContract(stage: Stage): void {
  test(
    'boots a guest, which talks on two channels and prints on its console; its end is told once',
    async () => {
      const vm = await stage.ground.vmm.boot(stage.ground.spec);
      const talk = new Talk(vm);
      expect(await talk.ask('ping')).toBe('pong');
      expect(await talk.ask('one', 'services')).toBe('services one');
      expect(await talk.ask('print here I am')).toBe('ok');
      await expect.poll(() => vm.consoleTail()).toContain('here I am');
      expect(await vm.generator()).toBeNull();
      await vm.stop();
      await vm.stop();
      expect(await vm.ended).toMatchObject({ kind: 'exited' });
      expect(stage.ground.isThere(vm.pid)).toBe(false);
      expect((await refusalOf(vm.save(stage.snapshot.manifest.guest))).code).toBe('vmm-failed');
    },
    bootPatienceMs,
  );

  test('a template is saved once and ends with it; its digest is of the manifest, with all that it was made of', () => {
    const { manifest, digest } = stage.snapshot;
    expect(digest).toBe(digestOf(manifestText(manifest)));
    expect(manifest).toMatchObject({
      format: 1,
      vmm: { name: stage.ground.vmm.name, version: stage.ground.vmm.version },
      accelerator: stage.ground.vmm.accelerator,
      machine: stage.ground.spec.machine,
      commandLine: stage.ground.spec.commandLine,
      kernelSha256: stage.ground.spec.kernel.sha256,
      initrdSha256: stage.ground.spec.initrd.sha256,
      memory: { sha256: stage.snapshot.memory.sha256, octets: stage.snapshot.memory.octets },
      deviceState: { sha256: stage.snapshot.deviceState.sha256, octets: stage.snapshot.deviceState.octets },
    });
  });

  test('nothing is booted or forked from memory that could still change', async () => {
    const fd = createMemfd('open');
    const open = { ...stage.ground.spec.kernel, fd };
    expect((await refusalOf(stage.ground.vmm.boot({ ...stage.ground.spec, kernel: open }))).code).toBe(
      'vmm-failed',
    );
    const loose = { ...stage.snapshot, memory: { ...stage.snapshot.memory, fd } };
    expect(await refusalOf(stage.ground.vmm.prepare(loose, noPlace))).toMatchObject({
      code: 'snapshot-mismatch',
      message: expect.stringContaining('memory: is not sealed'),
    });
    close(fd);
  });

  test('closing ends every VM, and nothing starts afterwards', async () => {
    const vmm = await stage.ground.another();
    const prepared = await vmm.prepare(stage.snapshot, noPlace);
    const running = await (await vmm.prepare(stage.snapshot, noPlace)).resume();
    await vmm.close();
    await vmm.close();
    expect(await running.ended).toMatchObject({ kind: 'exited' });
    expect(stage.ground.isThere(running.pid)).toBe(false);
    expect((await refusalOf(prepared.resume())).code).toBe('vmm-failed');
    expect((await refusalOf(vmm.prepare(stage.snapshot, noPlace))).code).toBe('vmm-failed');
  });
}

function forkContract(stage: Stage): void {
  test('a prepared fork runs no instruction until it is resumed, and what it was sent meanwhile waits', async () => {
    const prepared = await stage.ground.vmm.prepare(stage.snapshot, noPlace);
    const stream = prepared.channel('control');
    stream.write('recall\n');
    let heard = '';
    stream.on('data', (octets: Buffer) => {
      heard += octets.toString();
    });
    await new Promise((resolve) => setTimeout(resolve, silenceMs));
    expect(heard).toBe('');
    const vm = await prepared.resume();
    await expect.poll(() => heard, { timeout: patienceMs }).toBe('template\n');
    await vm.stop();
  });

  test('a fork that is paused runs nothing until it goes on, and has forgotten nothing then', async () => {
    const running = await (await stage.ground.vmm.prepare(stage.snapshot, noPlace)).resume();
    let heard = '';
    running.channel('control').on('data', (octets: Buffer) => {
      heard += octets.toString();
    });
    running.channel('control').write('remember more\n');
    await expect.poll(() => heard, { timeout: patienceMs }).toBe('ok\n');
    const paused = await running.pause();
    const generator = await running.generator();
    paused.channel('control').write('recall\n');
    await new Promise((resolve) => setTimeout(resolve, silenceMs));
    expect(heard).toBe('ok\n');
    expect(await running.generator()).toEqual(generator);
    const vm = await paused.resume();
    await expect.poll(() => heard, { timeout: patienceMs }).toBe('ok\nmore\n');
    await vm.stop();
    await expect(running.pause()).rejects.toMatchObject({ code: 'vmm-failed' });
  });

  test('forks remember what the template did and never what a sibling does', async () => {
    const one = await stage.fork();
    expect(await one.talk.ask('remember one')).toBe('ok');
    const others = await Promise.all([stage.fork(), stage.fork(), stage.fork()]);
    expect(await Promise.all(others.map(({ talk }) => talk.ask('recall')))).toEqual(
      others.map(() => 'template'),
    );
    expect(await one.talk.ask('recall')).toBe('one');
    expect(new Set([one, ...others].map(({ vm }) => vm.id)).size).toBe(4);
    await Promise.all([one, ...others].map(({ vm }) => vm.stop()));
  });

  test('the generator of a fork is read anew, and is the template’s until something renews it', async () => {
    const { vm, talk } = await stage.fork();
    const before = await vm.generator();
    if (!stage.ground.hasWitness) {
      expect([before, stage.snapshot.manifest.generatorAddress]).toEqual([null, null]);
      await vm.stop();
      return;
    }
    expect(before).toEqual(stage.snapshot.manifest.generatorAtSnapshot);
    expect(before?.keySha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await talk.ask('reseed')).toBe('ok');
    const after = await vm.generator();
    expect(after?.keySha256).not.toBe(before?.keySha256);
    expect(BigInt(after?.generation ?? 0)).toBeGreaterThan(BigInt(before?.generation ?? 0));
    await vm.stop();
  });

  test('a fork is saved too, and its forks remember it when it and its origin are gone', async () => {
    const { vm, talk } = await stage.fork();
    await talk.ask('remember child');
    const child = await vm.save(stage.snapshot.manifest.guest);
    expect(stage.ground.isThere(vm.pid)).toBe(false);
    expect(child.digest).not.toBe(stage.snapshot.digest);
    const [one, two] = await Promise.all([stage.fork(child), stage.fork(child)]);
    child.close();
    expect(await one.talk.ask('recall')).toBe('child');
    expect(await two.talk.ask('remember grandchild')).toBe('ok');
    expect(await one.talk.ask('recall')).toBe('child');
    expect(await one.vm.generator()).toEqual(child.manifest.generatorAtSnapshot);
    await Promise.all([one.vm.stop(), two.vm.stop()]);
  });
}

function endContract(stage: Stage): void {
  test('a guest that ends by itself is told, and leaves nothing once it is stopped', async () => {
    const { vm, talk } = await stage.fork();
    vm.channel('control').write('die\n');
    expect(await within(vm.ended, 'its end')).toMatchObject({ kind: 'exited' });
    await expect(talk.ask('ping')).rejects.toThrow();
    expect((await refusalOf(vm.save(stage.snapshot.manifest.guest))).code).toBe('vmm-failed');
    await vm.stop();
    expect(stage.ground.isThere(vm.pid)).toBe(false);
  });

  test('what was stopped leaves no process and no descriptor, prepared, running or saved', async () => {
    await (await stage.fork()).vm.stop();
    const before = descriptorsOpen();
    const prepared = await stage.ground.vmm.prepare(stage.snapshot, noPlace);
    await prepared.stop();
    await prepared.stop();
    expect((await refusalOf(prepared.resume())).code).toBe('vmm-failed');
    const forks = await Promise.all([stage.fork(), stage.fork()]);
    await Promise.all(forks.map(({ vm }) => vm.stop()));
    const { vm } = await stage.fork();
    (await vm.save(stage.snapshot.manifest.guest)).close();
    expect([...forks.map((one) => one.vm.pid), vm.pid].filter((pid) => stage.ground.isThere(pid))).toEqual(
      [],
    );
    await expect.poll(descriptorsOpen).toBe(before);
  });

  test('a snapshot is stored in a folder of the owner alone, once, and a fork of what is loaded runs', async () => {
    const place = join(stage.folder, 'stored');
    await stage.ground.vmm.store(stage.snapshot, place);
    expect(statSync(place).mode & 0o777).toBe(0o700);
    expect(readdirSync(place).map((name) => [name, statSync(join(place, name)).mode & 0o777])).toEqual([
      ['device-state', 0o600],
      ['manifest.json', 0o600],
      ['memory', 0o600],
    ]);
    expect((await refusalOf(stage.ground.vmm.store(stage.snapshot, place))).code).toBe('snapshot-taken');
    expect(readdirSync(stage.folder).filter((name) => name.includes('partial'))).toEqual([]);
    const loaded = await stage.ground.vmm.load(place, stage.snapshot.digest);
    rmSync(place, { recursive: true });
    expect(existsSync(place)).toBe(false);
    expect(loaded.digest).toBe(stage.snapshot.digest);
    const { vm, talk } = await stage.fork(loaded);
    loaded.close();
    expect(await talk.ask('recall')).toBe('template');
    await vm.stop();
  });
}
