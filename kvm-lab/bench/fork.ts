/**
 * Forks of a VM: from the call to the gate, beside a cold boot of the same guest; from the pool; the first exec; a
 * hundred at once; without end. In a process of its own, with which all of its VMs end.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';
import { type ForkPart, forkParts } from './fork/parts.ts';

const main = fileURLToPath(new URL('./fork/fork-bench-main.ts', import.meta.url));
const deadlineMs = 3_600_000;

export const forkBenchmark: Benchmark = {
  summary: 'a fork from the call to the gate passed; peer: a cold boot of the same guest, in the same run',
  async run({ forkParts: wanted } = {}) {
    const unsupported = microvmUnsupported();
    if (unsupported !== null) {
      return { measurements: [], notes: [`unsupported: ${unsupported.reason}; ${unsupported.remedy}`] };
    }
    const parts: readonly ForkPart[] = wanted ?? forkParts;
    const folder = makeLabFolder('bench');
    try {
      const { status, signal, stdout } = spawnSync(process.execPath, [main, folder, ...parts], {
        encoding: 'utf8',
        timeout: deadlineMs,
        maxBuffer: 64 << 20,
        env: markedEnvironment(),
        // How far it is.
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      if (status !== 0) return { measurements: [], notes: [`failed (${signal ?? `exit ${status}`})`] };
      return JSON.parse(stdout) as { measurements: BenchmarkMeasurement[]; notes: string[] };
    } finally {
      removeLabFolder(folder);
    }
  },
};
