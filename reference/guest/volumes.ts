/**
 * Volumes: block devices of the VM, found by their serial, mounted where the fork was told.
 * Invariant: no set-user-ID program and no device file on a volume counts for anything.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { GuestVolume } from '#reference/contract/guest-protocol.ts';
import type { SystemCalls } from './system-calls.ts';

const blockFolder = '/sys/block';
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;

function serialOf(device: string): string | null {
  try {
    return readFileSync(`${blockFolder}/${device}/serial`, 'latin1').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function deviceOf(serial: string): string {
  const found = readdirSync(blockFolder).find((device) => serialOf(device) === serial);
  if (found !== undefined) return `/dev/${found}`;
  throw new CodedError(
    'no-volume',
    'no block device of the guest has the serial of a volume',
    'give the VM a virtio-blk device of that serial',
  );
}

/** Those that a block device may hold, as the kernel lists them. */
function fileSystems(): string[] {
  const lines = readFileSync('/proc/filesystems', 'latin1').split('\n');
  return lines.filter((line) => line.startsWith('\t')).map((line) => line.trim());
}

/** @throws CodedError `no-volume`, SyscallError */
export function mountVolume(calls: SystemCalls, { serial, path, readonly }: GuestVolume): void {
  const device = deviceOf(serial);
  mkdirSync(path, { recursive: true });
  const flags = MS_NOSUID | MS_NODEV | (readonly ? MS_RDONLY : 0);
  let refusal: unknown = new SyscallError('mount', enodev);
  for (const kind of fileSystems()) {
    try {
      calls.mount(device, path, kind, flags, '');
      return;
    } catch (error) {
      // Not of this kind.
      if (!(error instanceof SyscallError) || error.code !== 'EINVAL') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

const enodev = 19;
