/**
 * What refuses a snapshot, told as tests that attack it: each a change of what lies in the folder, or of what it would
 * be restored with. Every attack stands beside the same folder unchanged, which is loaded.
 */

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadedSnapshot, SnapshotManifest, VmmPort } from '#reference/contract/vmm-port.ts';
import { refusalOf, Talk } from './contract-talk.ts';
import { digestOf, manifestText } from './manifest/manifest.ts';

export interface SnapshotStage {
  readonly ground: { readonly vmm: VmmPort };
  readonly snapshot: LoadedSnapshot;
  /** An empty one. */
  readonly folder: string;
}

const pageOctets = 4_096;

function flipBit(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const [octet = 0] = readFileSync(path).subarray(at, at + 1);
  writeSync(fd, Buffer.from([octet ^ 1]), 0, 1, at);
  closeSync(fd);
}

/** The first page that holds something. */
function zeroPage(path: string): void {
  const octets = readFileSync(path);
  const zeros = Buffer.alloc(pageOctets);
  let at = 0;
  while (octets.subarray(at, at + pageOctets).equals(zeros)) at += pageOctets;
  const fd = openSync(path, 'r+');
  writeSync(fd, zeros, 0, Math.min(pageOctets, octets.length - at), at);
  closeSync(fd);
}

const middle = (path: string) => Math.floor(statSync(path).size / 2);
const half = (path: string) => truncateSync(path, middle(path));
const lastOctet = (path: string) => truncateSync(path, statSync(path).size - 1);

/** What is done to a file of the folder → the field that the refusal names. */
const onFiles: readonly (readonly [
  file: string,
  what: string,
  act: (path: string) => void,
  field: string,
])[] = [
  ['memory', 'cut in half', half, 'memory.octets'],
  ['memory', 'cut by an octet', lastOctet, 'memory.octets'],
  ['memory', 'with a bit flipped in its middle', (path) => flipBit(path, middle(path)), 'memory.sha256'],
  ['memory', 'with its first bit flipped', (path) => flipBit(path, 0), 'memory.sha256'],
  ['memory', 'with a page of zeros', zeroPage, 'memory.sha256'],
  ['memory', 'longer', (path) => writeFileSync(path, 'x', { flag: 'a' }), 'memory.octets'],
  ['memory', 'gone', (path) => rmSync(path), 'memory'],
  ['memory', 'a link to itself elsewhere', linked, 'memory'],
  ['memory', 'a FIFO', (path) => piped(path), 'memory'],
  ['device-state', 'cut in half', half, 'deviceState.octets'],
  ['device-state', 'with a bit flipped', (path) => flipBit(path, middle(path)), 'deviceState.sha256'],
  ['device-state', 'with a page of zeros', zeroPage, 'deviceState.sha256'],
  ['device-state', 'gone', (path) => rmSync(path), 'device-state'],
  ['manifest.json', 'with white space', (path) => writeFileSync(path, '\n', { flag: 'a' }), 'digest'],
  ['manifest.json', 'empty', (path) => truncateSync(path, 0), 'digest'],
  ['manifest.json', 'too long', (path) => truncateSync(path, 1 << 20), 'manifest.json'],
  ['manifest.json', 'gone', (path) => rmSync(path), 'manifest.json'],
];

function linked(path: string): void {
  renameSync(path, `${path}.real`);
  symlinkSync(`${path}.real`, path);
}

function piped(path: string): void {
  rmSync(path);
  execFileSync('mkfifo', [path]);
}

type Change = (manifest: SnapshotManifest) => SnapshotManifest;

/** Another manifest, whose digest is asked for: a snapshot that is whole, and not for this VMM. */
const onManifest: readonly (readonly [what: string, change: Change, field: string])[] = [
  ['of another format', (one) => ({ ...one, format: 2 as 1 }), 'format'],
  [
    'of another VMM',
    (one) => ({ ...one, vmm: { ...one.vmm, name: one.vmm.name === 'qemu' ? 'firecracker' : 'qemu' } }),
    'vmm.name',
  ],
  ['of another version', (one) => ({ ...one, vmm: { ...one.vmm, version: '0.1' } }), 'vmm.version'],
  [
    'run by another accelerator',
    (one) => ({ ...one, accelerator: one.accelerator === 'tcg' ? 'kvm' : 'tcg' }),
    'accelerator',
  ],
  [
    'with another CPU flag',
    (one) => ({ ...one, machine: { ...one.machine, cpuModel: `${one.machine.cpuModel},-rdrand` } }),
    'arguments',
  ],
  [
    'with another device',
    (one) => ({ ...one, machine: { ...one.machine, guestMac: '02:00:00:00:00:77' } }),
    'arguments',
  ],
  ['with an argument more', (one) => ({ ...one, arguments: [...one.arguments, '-S'] }), 'arguments'],
  ['with an argument less', (one) => ({ ...one, arguments: one.arguments.slice(0, -1) }), 'arguments'],
  [
    'of an agent of another protocol',
    (one) => ({ ...one, guest: { ...one.guest, protocolVersions: [99] } }),
    'guest.protocolVersions',
  ],
  [
    'with the digest of other memory',
    (one) => ({ ...one, memory: { ...one.memory, sha256: '0'.repeat(64) } }),
    'memory.sha256',
  ],
];

/** What names the snapshot changes with each of these: whoever asked for the right one gets a refusal. */
const onIdentity: readonly (readonly [what: string, change: Change])[] = [
  ['kernel', (one) => ({ ...one, kernelSha256: '1'.repeat(64) })],
  ['initrd', (one) => ({ ...one, initrdSha256: '1'.repeat(64) })],
  ['command line', (one) => ({ ...one, commandLine: `${one.commandLine} init=/bin/sh` })],
  ['generator', (one) => ({ ...one, generatorAddress: 'abc' })],
];

/** A folder to attack: what the attack does not write is the stored file itself. */
function attackable(whole: string, place: string, written: readonly string[]): void {
  mkdirSync(place, { mode: 0o700 });
  for (const name of ['memory', 'device-state', 'manifest.json']) {
    const copy = written.includes(name) ? copyFileSync : linkSync;
    copy(join(whole, name), join(place, name));
  }
}

type Attack = (vmm: VmmPort, snapshot: LoadedSnapshot, place: string) => Promise<void>;

export function snapshotContract(stage: SnapshotStage): void {
  const whole = () => join(stage.folder, 'whole');
  beforeAll(() => stage.ground.vmm.store(stage.snapshot, whole()));
  afterAll(() => rmSync(whole(), { recursive: true, force: true }));

  /** On a folder that is loaded as it is. @param written files that the attack changes */
  const attacking = async (written: readonly string[], attack: Attack) => {
    const { ground, snapshot, folder } = stage;
    const place = join(folder, 'attacked');
    attackable(whole(), place, written);
    try {
      (await ground.vmm.load(place, snapshot.digest)).close();
      await attack(ground.vmm, snapshot, place);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  };

  test.for(onFiles)('%s, %s: is refused, by the name of what differs', ([file, , act, field]) =>
    attacking([file], async (vmm, snapshot, place) => {
      act(join(place, file));
      const refusal = await refusalOf(vmm.load(place, snapshot.digest));
      expect(refusal.code).toBe('snapshot-mismatch');
      expect(refusal.message).toContain(`: ${field}: `);
    }),
  );

  test.for(onManifest)('a snapshot %s is refused, by the name of what differs', ([, change, field]) =>
    attacking(['manifest.json'], async (vmm, snapshot, place) => {
      const manifest = change(snapshot.manifest);
      const text = manifestText(manifest);
      writeFileSync(join(place, 'manifest.json'), text);
      const refusal = await refusalOf(vmm.load(place, digestOf(text)));
      expect(refusal.code).toBe('snapshot-mismatch');
      expect(refusal.message).toContain(`: ${field}: `);
      if (field.startsWith('memory')) return;
      // A snapshot that is in memory already is held to the same.
      const prepared = refusalOf(vmm.prepare({ ...snapshot, manifest }, { tapFd: null }));
      expect((await prepared).message).toContain(`: ${field}: `);
    }),
  );

  test.for(onIdentity)('a snapshot of another %s has another name', ([, change]) =>
    attacking(['manifest.json'], async (vmm, snapshot, place) => {
      writeFileSync(join(place, 'manifest.json'), manifestText(change(snapshot.manifest)));
      const refusal = await refusalOf(vmm.load(place, snapshot.digest));
      expect(refusal.message).toContain(': digest: ');
    }),
  );

  test('a file that is rewritten in place after it was hashed is without effect', () =>
    attacking(['memory', 'device-state'], async (vmm, snapshot, place) => {
      const loaded = await vmm.load(place, snapshot.digest);
      for (const name of ['memory', 'device-state']) {
        const path = join(place, name);
        writeFileSync(path, Buffer.alloc(statSync(path).size, 0xff), { flag: 'r+' });
      }
      expect((await refusalOf(vmm.load(place, snapshot.digest))).message).toContain(': memory.sha256: ');
      const vm = await (await vmm.prepare(loaded, { tapFd: null })).resume();
      loaded.close();
      expect(await new Talk(vm).ask('recall')).toBe('template');
      await vm.stop();
    }));
}
