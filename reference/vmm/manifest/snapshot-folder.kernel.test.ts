/** A disk that is full while a snapshot is stored, and a snapshot that comes as descriptors. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMemfd } from '#reference/base/memfd.ts';
import { close, fcntl } from '#reference/base/syscalls.ts';
import { manifestText } from './manifest.ts';
import { environment, sealed, snapshotWith } from './practice-snapshot.ts';
import { adoptSnapshot, loadSnapshot, storeSnapshot } from './snapshot-folder.ts';

const F_ADD_SEALS = 1033;
const F_DUPFD_CLOEXEC = 1030;
const dup = (fd: number) => fcntl(fd, F_DUPFD_CLOEXEC, 0);

const stored = (memoryOctets: number) => snapshotWith(Buffer.alloc(memoryOctets, 7), 'state');

let disk: string;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'disk', disk]);
});

afterEach(() => {
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

test.for([
  ['its memory', 3 << 20],
  ['its device state or manifest', (2 << 20) - 4_096],
] as const)('a disk that is full at %s leaves nothing, and is told', async ([, octets]) => {
  const snapshot = await stored(octets);
  await expect(storeSnapshot(snapshot, join(disk, 'snapshot'))).rejects.toMatchObject({ code: 'disk-full' });
  expect(readdirSync(disk)).toEqual([]);
  snapshot.close();
  const small = await stored(1 << 19);
  await storeSnapshot(small, join(disk, 'snapshot'));
  (await loadSnapshot(join(disk, 'snapshot'), small.digest, environment)).close();
  small.close();
});

test('what was handed over as descriptors is checked by who gets it: seals, length, digest, manifest', async () => {
  const snapshot = await stored(1 << 19);
  const { memory, deviceState, manifest, digest } = snapshot;
  const adopt = (changed: Partial<Record<'memory' | 'deviceState', number>> = {}, as = digest) =>
    adoptSnapshot(
      { manifest: manifestText(manifest), memory: memory.fd, deviceState: deviceState.fd, ...changed },
      as,
      environment,
    );
  expect((await adopt()).digest).toBe(digest);
  const right = Buffer.alloc(1 << 19, 7);
  // The right octets: what is missing is one seal, or all of them.
  const loose = [0, 15 ^ 1, 15 ^ 2, 15 ^ 4, 15 ^ 8].map((seals) => {
    const fd = createMemfd('loose');
    writeSync(fd, right);
    if (seals !== 0) fcntl(fd, F_ADD_SEALS, seals);
    return fd;
  });
  const whole = await sealed(right);
  (
    await adoptSnapshot(
      { manifest: manifestText(manifest), memory: whole.fd, deviceState: dup(deviceState.fd) },
      digest,
      environment,
    )
  ).close();
  const file = openSync(join(disk, 'file'), 'w+');
  const [shorter, other] = [await sealed(Buffer.alloc(5)), await sealed(Buffer.alloc(1 << 19, 8))];
  for (const fd of loose) await expect(adopt({ memory: fd })).rejects.toThrow(/: memory: is not sealed/);
  await expect(adopt({ memory: file })).rejects.toThrow(/: memory: is not sealed/);
  await expect(adopt({ memory: shorter.fd })).rejects.toThrow(/: memory.octets: /);
  await expect(adopt({ memory: other.fd })).rejects.toThrow(/: memory.sha256: /);
  await expect(adopt({ deviceState: shorter.fd })).rejects.toThrow(/: deviceState.sha256: /);
  await expect(adopt({}, '0'.repeat(64))).rejects.toMatchObject({ code: 'snapshot-mismatch' });
  for (const fd of [...loose, file, shorter.fd, other.fd]) close(fd);
  snapshot.close();
});
