/** Whether microVMs can be had here, by what is cheap to see: nothing is booted, fetched or built. */
import { spawnSync } from 'node:child_process';
import { tapsUnsupported } from '../netns/netns.ts';
import type { Unsupported } from '../unsupported.ts';

export const qemuProgram = 'qemu-system-x86_64';
const probeTimeoutMs = 10_000;

/** What artifacts are fetched and unpacked with, and the package of Debian's that has it. */
const programs = {
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  tar: 'tar',
  xz: 'xz-utils',
} as const;

/** A guest of this architecture alone: what another would need is said, not tried. */
export function microvmUnsupported(): Unsupported | null {
  if (process.arch !== 'x64') {
    const reason = `the lab's guests are for x64, this is ${process.arch}`;
    const remedy =
      'use an x64 host; for arm64 it lacks: linux-image-cloud-arm64 in artifacts.lock.json, QEMU’s machine virt, its console ttyAMA0';
    return { reason, remedy };
  }
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (spawnSync(program, ['--version'], { timeout: probeTimeoutMs }).status !== 0)
      return { reason: `no ${program} on PATH`, remedy: `apt-get install -y ${debianPackage}` };
  }
  return qemuUnsupported();
}

export function qemuUnsupported(): Unsupported | null {
  if (qemuVersion() !== null) return null;
  return {
    reason: `no ${qemuProgram} on PATH`,
    remedy: 'apt-get install -y --no-install-recommends qemu-system-x86',
  };
}

/** As it says it, such as `QEMU emulator version 7.2.22 …`. */
export function qemuVersion(): string | null {
  const { status, stdout } = spawnSync(qemuProgram, ['-version'], {
    encoding: 'utf8',
    timeout: probeTimeoutMs,
  });
  return status === 0 ? (stdout.split(' (')[0] ?? '') : null;
}

/** For microVMs behind the lab's taps. */
export function microvmLabUnsupported(): Unsupported | null {
  if (process.getuid?.() !== 0) return { reason: 'not root', remedy: 'run as root, such as by sudo -E' };
  return tapsUnsupported() ?? microvmUnsupported();
}
