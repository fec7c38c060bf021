/** Without QEMU there is no adapter, and why is said. */
import { expect, test } from 'vitest';
import { openQemu } from './qemu.ts';

test.for(['/nowhere/qemu-system-x86_64', '/usr/bin/true'])('%s is no QEMU', async (binary) => {
  await expect(openQemu('tcg', binary)).rejects.toMatchObject({
    code: 'no-qemu',
    remediation: 'install qemu-system-x86',
  });
});
