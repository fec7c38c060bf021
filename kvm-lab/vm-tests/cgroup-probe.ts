/**
 * Run in a guest, whose kernel has cgroup version 2 to itself: bounds real processes as a launcher does, and says as
 * JSON what became of them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type VmBounds, VmCgroups } from '#reference/vmm/confinement/vm-cgroups.ts';

const top = '/sys/fs/cgroup';
const place = `${top}/delegated`;
const mebi = 1 << 20;
const roomy: VmBounds = { memoryOctets: 200 * mebi, processes: 32, cpus: 2 };
const found: Record<string, unknown> = {};

const undelegated = VmCgroups.open();
found.undelegated = undelegated.why;
writeFileSync(`${top}/cgroup.subtree_control`, '+memory +pids +cpu');
mkdirSync(place);
writeFileSync(`${place}/cgroup.procs`, String(process.pid));
// As a killed run leaves them.
mkdirSync(`${place}/mitos-vms-4000000-1/vm-1`, { recursive: true });
const { cgroups, why } = VmCgroups.open();
if (cgroups === null) throw new Error(why);
found.leftovers = readdirSync(place).filter((name) => name.includes('4000000'));
found.ownCgroup = readFileSync('/proc/self/cgroup', 'utf8').trim();

async function endOf(child: ChildProcess) {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return signal ?? code;
}

/** Held until it is in its cgroup, as a launcher does it. */
async function bounded(
  bounds: VmBounds,
  script: string,
  during: (folder: string) => unknown = () => undefined,
) {
  if (cgroups === null) throw new Error('none');
  const cgroup = cgroups.make(bounds);
  const child = spawn('/bin/sh', ['-c', `read -r _; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = endOf(child);
  cgroup.take(child.pid ?? 0);
  child.stdin?.end('\n');
  const end = await ended;
  const seen = during(cgroup.folder);
  await cgroup.remove();
  return { end, seen };
}

const statOf = (name: string, field: string) => (folder: string) =>
  Number(new RegExp(`^${field} (\\d+)$`, 'm').exec(readFileSync(`${folder}/${name}`, 'utf8'))?.[1]);

const hog = 'exec /bin/busybox dd if=/dev/zero of=/dev/null bs=100M count=1';
found.memoryWithin = await bounded(roomy, hog, statOf('memory.events', 'oom_group_kill'));
found.memoryBeyond = await bounded(
  { ...roomy, memoryOctets: 48 * mebi },
  hog,
  statOf('memory.events', 'oom_group_kill'),
);
const many = 'for n in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/busybox sleep 1 & done; wait';
found.processesWithin = await bounded(roomy, many, statOf('pids.events', 'max'));
found.processesBeyond = await bounded({ ...roomy, processes: 6 }, many, statOf('pids.events', 'max'));
const spin = 'n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done';
found.cpuWithin = await bounded(roomy, spin, statOf('cpu.stat', 'nr_throttled'));
found.cpuBeyond = await bounded({ ...roomy, cpus: 0.1 }, spin, statOf('cpu.stat', 'nr_throttled'));
await cgroups.close();
found.left = readdirSync(place).filter((name) => name.startsWith('mitos-vms'));
process.stdout.write(`${JSON.stringify(found)}\n`);
