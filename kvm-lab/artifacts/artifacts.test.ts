/** What a guest boots from is what is pinned, or nothing; what is missing is named with what to do about it. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { guestArtifacts, kernelNames } from './artifacts.ts';
import { cached, cacheFolder, keepNewest } from './cache-folder.ts';
import { unpacked } from './debian-package.ts';
import { readModule } from './kernel-module.ts';
import { type LockedPackage, readLock, readPinned, sha256 } from './lock.ts';
import { loadedPart, nodePath } from './native-files.ts';
import { runStep } from './run-step.ts';

const { PATH, HUSKPROOF_CACHE } = process.env;
let place = '';
const silent = () => undefined;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'artifacts-test-'));
  process.env.HUSKPROOF_CACHE = place;
});

afterEach(() => {
  process.env.PATH = PATH;
  if (HUSKPROOF_CACHE === undefined) delete process.env.HUSKPROOF_CACHE;
  else process.env.HUSKPROOF_CACHE = HUSKPROOF_CACHE;
  rmSync(place, { recursive: true });
});

const gone: LockedPackage = {
  package: 'busybox-static',
  version: '0:0.0-1',
  sha256: '0'.repeat(64),
  files: { 'bin/busybox': '0'.repeat(64) },
};

/** Stands for apt-get: leaves a package where it is told to work. */
function insteadOfApt(script: string): void {
  mkdirSync(`${place}/bin`);
  writeFileSync(`${place}/bin/apt-get`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = `${place}/bin:${PATH}`;
}

describe('artifacts', () => {
  test('refuses a kernel that is not pinned, and lists those that are', async () => {
    await expect(guestArtifacts('5.10')).rejects.toMatchObject({
      code: 'unknown-kernel',
      remediation: expect.stringContaining('6.1-cloud'),
    });
    expect(kernelNames()).toContain('6.12-cloud');
  });

  test('a version that the archive dropped is named, with the verb that pins another; nothing is left', async () => {
    insteadOfApt('echo "E: Version ‘0:0.0-1’ for ‘busybox-static’ was not found" >&2; exit 100');
    await expect(unpacked(gone, silent)).rejects.toMatchObject({
      code: 'artifact-missing',
      message: expect.stringMatching(/busybox-static 0:0.0-1 .*was not found/),
      remediation: expect.stringContaining('pnpm lab artifacts --update'),
    });
    expect(readdirSync(`${place}/packages`)).toEqual([]);
  });

  test('without apt it says so', async () => {
    process.env.PATH = place;
    await expect(unpacked(gone, silent)).rejects.toThrow(/apt-get/);
  });

  test('refuses a package of another digest, although it has the pinned version; nothing is unpacked', async () => {
    const build =
      'mkdir -p t/DEBIAN && printf "Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n"';
    insteadOfApt(`${build} > t/DEBIAN/control && dpkg-deb --build t x.deb >/dev/null`);
    await expect(unpacked(gone, silent)).rejects.toMatchObject({ code: 'artifact-mismatch' });
    expect(readdirSync(`${place}/packages`)).toEqual([]);
  });

  test('refuses a cached file that was changed', () => {
    writeFileSync(`${place}/file`, 'octets');
    const digest = sha256([Buffer.from('octets')]);
    expect(readPinned(`${place}/file`, digest, 'file')).toEqual(Buffer.from('octets'));
    writeFileSync(`${place}/file`, 'octetz');
    expect(() => readPinned(`${place}/file`, digest, 'file')).toThrow(/file: SHA-256 is .*, pinned is/);
    expect(() => readPinned(`${place}/file`, undefined, 'file')).toThrow('pinned is nothing');
  });

  test('pins whatever it takes: each kernel its image, and each module after those that it depends on', () => {
    for (const kernel of Object.values(readLock().kernels)) {
      expect(Object.keys(kernel.files).toSorted()).toEqual([kernel.kernel, ...kernel.modules].toSorted());
      const order = kernel.modules.map((path) => /([^/]+)\.ko/.exec(path)?.[1]);
      const ring = order.indexOf('virtio_ring');
      if (ring >= 0) expect(ring).toBeLessThan(order.indexOf('virtio'));
    }
  });
});

describe('the cache', () => {
  test('never shows what failed half-made', async () => {
    const half = cached('part/one', async (path) => {
      writeFileSync(path, 'half');
      throw new Error('the disk is full');
    });
    await expect(half).rejects.toThrow('the disk is full');
    expect(readdirSync(`${place}/part`)).toEqual([]);
  });

  test('two that make the same at once both have it, and one is kept', async () => {
    const make = () =>
      cached('part/folder', async (path) => {
        mkdirSync(path);
        writeFileSync(`${path}/file`, 'x');
        await new Promise((resolve) => setTimeout(resolve, 20));
      });
    expect(await Promise.all([make(), make()])).toEqual(Array(2).fill(join(cacheFolder(), 'part/folder')));
    expect(readdirSync(`${place}/part`)).toEqual(['folder']);
  });

  test('takes the oldest away, and never what is younger than an hour', async () => {
    for (const name of ['a', 'b', 'c'])
      await cached(`many/${name}`, async (path) => writeFileSync(path, name));
    keepNewest('many', 1);
    expect(readdirSync(`${place}/many`)).toHaveLength(3);
    for (const [name, hours] of Object.entries({ a: 2, b: 4, c: 3 })) {
      const then = new Date(Date.now() - hours * 3_600_000);
      utimesSync(`${place}/many/${name}`, then, then);
    }
    keepNewest('many', 2);
    expect(readdirSync(`${place}/many`)).toEqual(['a', 'c']);
  });
});

test('a module says what it depends on', () => {
  const text = 'x\0depends=virtio_ring,crc-t10dif\0license=GPL\0';
  expect(readModule('a.ko', Buffer.from(text)).depends).toEqual(['virtio_ring', 'crc_t10dif']);
  expect(readModule('a.ko', Buffer.from('\0depends=\0')).depends).toEqual([]);
});

test('Node runs without what only debuggers read, and is smaller', async () => {
  const whole = readFileSync(nodePath());
  const part = loadedPart(whole);
  writeFileSync(`${place}/node`, part, { mode: 0o755 });
  expect(part.length).toBeLessThan(whole.length);
  expect(await runStep([`${place}/node`, '-p', '6 * 7'])).toMatchObject({ code: 0, stdout: '42\n' });
});
