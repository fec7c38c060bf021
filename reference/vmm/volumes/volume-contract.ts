/**
 * What every VMM does with volumes, told as tests: what a guest writes is its VM's alone, what it shall not write it
 * cannot, and what does not fit its slot comes into none.
 */
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, Volume, VolumeSlot } from '#reference/contract/vmm-port.ts';
import { refusalOf, Talk, type VmmGround } from '../contract-talk.ts';

const octets = 1 << 20;

export const volumeSlots: readonly VolumeSlot[] = [
  { serial: 'shared', octets, access: 'readonly' },
  { serial: 'own', octets, access: 'private' },
];

export interface VolumeStage {
  readonly ground: VmmGround;
  /** Of a machine with `volumeSlots`, where the VMM has volumes. */
  readonly snapshot: LoadedSnapshot;
}

class Volumes {
  readonly #folder = mkdtempSync(join(tmpdir(), 'volumes-'));
  readonly #fds: number[] = [];

  /** A file that begins with a line. */
  file(line: string, length = octets): { readonly fd: number; readonly path: string } {
    const path = join(this.#folder, `volume-${this.#fds.length}`);
    const content = Buffer.alloc(length);
    content.write(`${line}\n`);
    writeFileSync(path, content);
    const fd = openSync(path, 'r+');
    this.#fds.push(fd);
    return { fd, path };
  }

  close(): void {
    for (const fd of this.#fds) close(fd);
    rmSync(this.#folder, { recursive: true });
  }
}

export function volumeContract(stage: VolumeStage): void {
  let files: Volumes;
  beforeAll(() => {
    files = new Volumes();
  });
  afterAll(() => files.close());

  const fork = async (volumes: readonly Volume[]) => {
    const vm = await (await stage.ground.vmm.prepare(stage.snapshot, { tapFd: null, volumes })).resume();
    return { vm, talk: new Talk(vm) };
  };

  test('what a fork writes to a private volume is its own; a shared one is read by all and written by none', async () => {
    if (!stage.ground.hasVolumes) {
      const { vmm, spec } = stage.ground;
      const machine = { ...spec.machine, volumes: volumeSlots };
      const refusal = await refusalOf(vmm.boot({ ...spec, machine }));
      expect(refusal).toMatchObject({ code: 'bad-machine', message: expect.stringContaining('volumes: ') });
      return;
    }
    const [shared, own] = [files.file('for all'), files.file('as it was')];
    const volumes = [
      { serial: 'shared', fd: shared.fd },
      { serial: 'own', fd: own.fd },
    ];
    const forks = await Promise.all([fork(volumes), fork(volumes)]);
    for (const [index, { talk }] of forks.entries()) {
      expect(await talk.ask('disk-read own')).toBe('as it was');
      expect(await talk.ask(`disk-write own of-${index}`)).toBe('ok');
      expect(await talk.ask('disk-read shared')).toBe('for all');
      expect(await talk.ask('disk-write shared mine')).toBe('refused');
    }
    for (const [index, { talk }] of forks.entries()) {
      expect(await talk.ask('disk-read own')).toBe(`of-${index}`);
      expect(await talk.ask('disk-read shared')).toBe('for all');
    }
    await Promise.all(forks.map(({ vm }) => vm.stop()));
    const later = await fork(volumes);
    expect(await later.talk.ask('disk-read own')).toBe('as it was');
    await later.vm.stop();
    expect(readFileSync(own.path, 'latin1')).toMatch(/^as it was\n/);
    expect(readFileSync(shared.path, 'latin1')).toMatch(/^for all\n/);
  });

  test('an empty slot reads as zeros', async () => {
    if (!stage.ground.hasVolumes) return;
    const { vm, talk } = await fork([]);
    expect(await talk.ask('disk-read own')).toBe('nothing');
    expect(await talk.ask('disk-read shared')).toBe('nothing');
    await vm.stop();
  });

  test('a volume that has no slot, or does not fit its own, is refused by its serial', async () => {
    if (!stage.ground.hasVolumes) {
      const refusal = refusalOf(fork([{ serial: 'own', fd: files.file('').fd }]));
      expect((await refusal).code).toBe('bad-machine');
      return;
    }
    const [fitting, longer] = [files.file(''), files.file('', octets + 512)];
    const folder = openSync(tmpdir(), 'r');
    const refused: readonly [volumes: readonly Volume[], message: RegExp][] = [
      [[{ serial: 'unknown', fd: fitting.fd }], /no slot of its serial/],
      [[{ serial: 'own', fd: longer.fd }], /own is not 1048576 octets long/],
      [[{ serial: 'own', fd: folder }], /own is no regular file/],
      [[fitting, fitting].map(({ fd }) => ({ serial: 'own', fd })), /own is given twice/],
    ];
    for (const [volumes, message] of refused) {
      const refusal = await refusalOf(fork(volumes));
      expect(refusal.code).toBe('bad-volume');
      expect(refusal.message).toMatch(message);
    }
    close(folder);
  });
}
