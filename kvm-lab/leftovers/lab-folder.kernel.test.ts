/** A folder of the lab in which something is mounted is never removed: what is there may be the host's. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from './lab-folder.ts';

test('what is mounted in a folder stays, and the folder with it, until it is unmounted', () => {
  expect(process.env.OWN_MOUNTS, 'run it by pnpm test:kernel').toBe('1');
  const folder = makeLabFolder('image');
  const mounted = `${folder}/tree/sys`;
  mkdirSync(mounted, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'none', mounted]);
  try {
    writeFileSync(`${mounted}/precious`, '');
    expect(() => removeLabFolder(folder)).toThrow(`${mounted} is mounted in it`);
    expect(existsSync(`${mounted}/precious`)).toBe(true);
  } finally {
    execFileSync('umount', [mounted]);
  }
  removeLabFolder(folder);
  expect(existsSync(folder)).toBe(false);
});
