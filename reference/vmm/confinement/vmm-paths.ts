/** What a VMM opens by path: itself, libraries and firmware, and where a CPU runs by itself /dev/kvm. */
import { existsSync, type Stats, statSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import type { OpenPaths } from './landlock.ts';
import { type DeviceAccess, deviceAccess } from './privileges.ts';

const kvm = '/dev/kvm';
const loaders: Readonly<Record<string, string>> = {
  x64: '/lib64/ld-linux-x86-64.so.2',
  arm64: '/lib/ld-linux-aarch64.so.1',
};
const readable = ['/usr/lib', '/etc/ld.so.cache', '/usr/share/qemu', '/usr/share/seabios'];

export function openPaths(binary: string, accelerator: Accelerator): OpenPaths {
  const loader = loaders[process.arch];
  return {
    programs: loader === undefined ? [binary] : [binary, loader],
    // Firmware is QEMU's.
    readable: readable.filter((path) => existsSync(path)),
    writable: ['/dev/null', ...(accelerator === 'kvm' ? [kvm] : [])],
  };
}

/** How the one device that VMMs share can be opened. @throws CodedError `vmm-failed` */
export function kvmAccess(): DeviceAccess {
  let stat: Stats;
  try {
    stat = statSync(kvm);
  } catch (cause) {
    const remedy = 'load the module kvm, or use the accelerator tcg';
    throw new CodedError('vmm-failed', `there is no ${kvm}`, remedy, { cause });
  }
  return deviceAccess(stat);
}
