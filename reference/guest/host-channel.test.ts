/** Which channel a guest takes: a virtio-serial port of that name, else vsock, else none, by name. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostChannel } from './host-channel.ts';
import { PortChannel } from './port-channel.ts';
import { ownCid } from './vsock-port.ts';

test('a port of that name comes first; without one and without a vsock there is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ports-'));
  mkdirSync(join(folder, 'vport0p1'));
  writeFileSync(join(folder, 'vport0p1', 'name'), 'mitos.control\n');
  const nowhere = join(folder, 'vsock');
  expect(hostChannel('control', folder, nowhere)).toBeInstanceOf(PortChannel);
  expect(ownCid(nowhere)).toBeNull();
  for (const ports of [folder, nowhere]) {
    expect(() => hostChannel('services', ports, nowhere)).toThrow(
      expect.objectContaining({ code: 'no-guest-port' }),
    );
  }
  rmSync(folder, { recursive: true });
});
