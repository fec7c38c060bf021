/**
 * The datapath on the kernel, in a network namespace of its own: set-up, cut-off, many sandboxes, pins, and
 * what passes a second; peers are a bare tap, one `nft -f` process per sandbox, and a bare forward.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';

const deadlineMs = 600_000;
const main = fileURLToPath(new URL('./datapath/datapath-bench-main.ts', import.meta.url));

/** Standard output of the part, run in namespaces that end with it. */
function part(name: string): { measurements: BenchmarkMeasurement[]; notes: string[] } {
  const inNamespace = ['-nm', process.execPath, main, name];
  const { status, signal, stdout, stderr } = spawnSync('unshare', inNamespace, {
    encoding: 'utf8',
    timeout: deadlineMs,
    maxBuffer: 64 << 20,
    env: markedEnvironment(),
  });
  if (status !== 0) {
    const why = `${signal ?? `exit ${status}`}: ${stderr.trim().slice(-2_000)}`;
    return { measurements: [], notes: [`${name}: failed (${why})`] };
  }
  return JSON.parse(stdout) as { measurements: BenchmarkMeasurement[]; notes: string[] };
}

export const datapathBenchmark: Benchmark = {
  summary:
    'the datapath on the kernel; peers: a bare tap, one nft process per sandbox or pin, a bare forward',
  async run() {
    const isRoot = process.getuid?.() === 0;
    const canUnshare = isRoot && spawnSync('unshare', ['-nm', 'true']).status === 0;
    if (!canUnshare) {
      const notes = ['unsupported: it makes taps in a network namespace of its own; run it as root'];
      return { measurements: [], notes };
    }
    const parts = ['sandboxes', 'pins', 'forward', 'throughput'].map(part);
    return {
      measurements: parts.flatMap(({ measurements }) => measurements),
      notes: parts.flatMap(({ notes }) => notes),
    };
  },
};
