/** An overlay on a file system without room: said as a full disk, and no descriptor is left. Needs: mount(8). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import { createOverlay } from './overlay.ts';

test('a full disk is told as one, and takes an overlay when there is room again', () => {
  const folder = mkdtempSync(`${tmpdir()}/overlay-full-`);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'overlays', folder]);
  try {
    writeFileSync(`${folder}/ballast`, Buffer.alloc(900 << 10));
    const before = readdirSync('/proc/self/fd').length;
    expect(() => createOverlay(folder, 1 << 20)).toThrow(expect.objectContaining({ code: 'disk-full' }));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    rmSync(`${folder}/ballast`);
    close(createOverlay(folder, 1 << 20));
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
});
