/** A module of the kernel as a package holds it: unpacked, and what it says that it depends on. */
import { execFileSync } from 'node:child_process';

const timeoutMs = 30_000;
const maxModuleOctets = 64 * 1024 * 1024;

export interface KernelModule {
  /** As the kernel loads it. */
  readonly data: Uint8Array;
  readonly depends: readonly string[];
}

export function readModule(path: string, packed: Uint8Array): KernelModule {
  const data = path.endsWith('.xz')
    ? execFileSync('xz', ['--decompress', '--stdout'], {
        input: packed,
        timeout: timeoutMs,
        maxBuffer: maxModuleOctets,
      })
    : packed;
  // Section .modinfo: strings with NUL between them (kernel: include/linux/moduleinfo.h).
  const [, names = ''] = /\0depends=([^\0]*)\0/.exec(Buffer.from(data).toString('latin1')) ?? [];
  return {
    data,
    depends: names
      .split(',')
      .filter((name) => name !== '')
      .map((name) => name.replaceAll('-', '_')),
  };
}
