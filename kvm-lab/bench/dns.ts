/**
 * The DNS proxy against forwarders that nobody here wrote, without cache, in one run in a network namespace of its own:
 * load, upstream server and each forwarder are processes; the processor time of the forwarder is what counts.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';

const main = fileURLToPath(new URL('./dns/dns-bench-main.ts', import.meta.url));
const deadlineMs = 1_200_000;

export const dnsBenchmark: Benchmark = {
  summary:
    'the DNS proxy, 50 clients, 100 outstanding, distinct names, no cache; peers: dnsmasq, unbound, Node, one nft a pin',
  async run({ memoryMinutes } = {}) {
    const isRoot = process.getuid?.() === 0;
    const canUnshare = isRoot && spawnSync('unshare', ['-nm', 'true']).status === 0;
    if (!canUnshare) {
      const notes = [
        'unsupported: it fills sets of nf_tables in a network namespace of its own; run it as root',
      ];
      return { measurements: [], notes };
    }
    const part = memoryMinutes === undefined ? [] : [String(memoryMinutes)];
    const { status, signal, stdout, stderr } = spawnSync(
      'unshare',
      ['-nm', process.execPath, main, ...part],
      {
        encoding: 'utf8',
        timeout: deadlineMs + (memoryMinutes ?? 0) * 60_000,
        maxBuffer: 64 << 20,
      },
    );
    if (status !== 0) {
      const why = `${signal ?? `exit ${status}`}: ${stderr.trim().slice(-2_000)}`;
      return { measurements: [], notes: [`failed (${why})`] };
    }
    return JSON.parse(stdout) as { measurements: BenchmarkMeasurement[]; notes: string[] };
  },
};
