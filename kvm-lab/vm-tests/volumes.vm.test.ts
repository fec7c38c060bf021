/**
 * Volumes in a guest of each kernel that attacks boot: disks are found by serial and mounted as the fork was told.
 * It takes the modules of the file system, and what they ask the kernel for when they mount.
 */
import { expect, test } from 'vitest';
import { DiskGuest } from './disk-guest.ts';

const kernels = ['6.1-cloud', '6.1'];
const [kept, read] = ['to-write', 'to-read'];
const patienceMs = 400_000;
const print = (path: string) => ['/bin/sh', '-c', `echo octets 2>&1 >${path}; cat ${path} 2>&1`];

for (const kernel of kernels) {
  test(`volumes are mounted as the fork was told, and one for reading alone is never written · ${kernel}`, {
    timeout: patienceMs,
  }, async () => {
    const guest = await DiskGuest.boot(kernel, [kept, read]);
    try {
      const forked = await guest.fork([
        { serial: read, path: '/read', readonly: true },
        { serial: kept, path: '/kept', readonly: false },
      ]);
      expect(forked).toMatchObject({ ok: true });
      const mounts = await guest.said('/bin/cat', '/proc/mounts');
      expect(mounts).toMatch(/^\/dev\/vda \/kept ext4 rw,nosuid,nodev,/m);
      expect(mounts).toMatch(/^\/dev\/vdb \/read ext4 ro,nosuid,nodev,/m);
      expect(await guest.said(...print('/kept/file'))).toBe('octets');
      expect(await guest.said(...print('/read/file'))).toMatch(/Read-only file system.*\[failed\]$/s);
    } finally {
      await guest.end();
    }
  });
}

test('a volume of a serial that no disk has refuses the fork', { timeout: patienceMs }, async () => {
  const guest = await DiskGuest.boot('6.1-cloud', [kept]);
  try {
    const volumes = [{ serial: 'another', path: '/data', readonly: true }];
    const refused = { ok: false, error: 'clock, network or volumes could not be repaired' };
    expect(await guest.fork(volumes)).toMatchObject(refused);
  } finally {
    await guest.end();
  }
});
