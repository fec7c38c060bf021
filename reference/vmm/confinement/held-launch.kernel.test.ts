/** A VMM that is bounded by a cgroup: it is in there before it is a VMM, or it never becomes one. */
import { readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { markOf } from '#reference/base/process-mark.ts';
import { close, socketPair } from '#reference/base/syscalls.ts';
import { ConfinedLauncher, launchPrograms } from './confined-launcher.ts';
import type { CgroupsPort, VmBounds } from './vm-cgroups.ts';

const echo = '/usr/bin/echo';
const paths = {
  programs: [...launchPrograms, echo, '/usr/bin/sleep', '/lib64/ld-linux-x86-64.so.2'],
  readable: ['/usr/lib', '/etc/ld.so.cache'],
  writable: ['/dev/null'],
};
const bounds: VmBounds = { memoryOctets: 1 << 28, processes: 8, cpus: 1 };
const limits = { dataOctets: 1 << 28, fileOctets: 1 << 20, files: 64, bounds };

/** Notes what is asked of it, and what the process was then. */
class NotedCgroups implements CgroupsPort {
  readonly noted: string[] = [];
  fails: 'make' | 'take' | null = null;

  make(asked: VmBounds) {
    this.noted.push(`make ${asked.processes}`);
    if (this.fails === 'make') throw new Error('EACCES');
    return {
      folder: 'noted',
      take: (pid: number) => {
        // Where its executable may not be looked at, it is still none of the program.
        this.noted.push(`take ${programOf(pid) === echo ? 'too late' : 'held'}`);
        if (this.fails === 'take') throw new Error('EBUSY');
      },
      remove: async () => void this.noted.push('remove'),
    };
  }

  async close(): Promise<void> {
    this.noted.push('close');
  }
}

function programOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/exe`);
}

let cgroups: NotedCgroups;
let launcher: ConfinedLauncher;
beforeEach(async () => {
  cgroups = new NotedCgroups();
  launcher = await ConfinedLauncher.start(paths, undefined, cgroups);
});
afterEach(() => launcher.close());

async function launched(program: readonly string[], more: Partial<typeof limits> = {}) {
  const [ours, theirs] = socketPair();
  const said = text(new Socket({ fd: ours }));
  try {
    const running = await launcher.launch(program, [theirs, theirs], { ...limits, ...more });
    return { running, said };
  } finally {
    close(theirs);
  }
}

test('takes it before it becomes the program, and is removed when that has ended', async () => {
  const { running, said } = await launched([echo, 'it runs']);
  expect(await running.ended).toMatchObject({ code: 0 });
  expect(await said).toBe('it runs\n');
  expect(cgroups.noted).toEqual(['make 8', 'take held', 'remove']);
});

test('that cannot take it keeps it from ever becoming the program', async () => {
  cgroups.fails = 'take';
  await expect(launched([echo, 'it runs'])).rejects.toMatchObject({ code: 'vmm-failed' });
  await expect.poll(() => cgroups.noted, { timeout: 20_000 }).toEqual(['make 8', 'take held', 'remove']);
});

test('that cannot be made keeps it from being started', async () => {
  cgroups.fails = 'make';
  await expect(launched([echo, 'it runs'])).rejects.toMatchObject({ code: 'vmm-failed' });
  expect(cgroups.noted).toEqual(['make 8']);
});

test('has its processes bounded by its uid too, where that is nobody else’s', async () => {
  const { running } = await launched(['/usr/bin/sleep', '1000']);
  const own = () => readFileSync(`/proc/${running.pid}/limits`, 'utf8');
  const isAlone = /^Uid:\s*6\d{4}/m.test(readFileSync(`/proc/${running.pid}/status`, 'utf8'));
  const most = isAlone
    ? '8'
    : String(/^Max processes\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  await expect.poll(own, { timeout: 20_000 }).toMatch(new RegExp(`^Max processes\\s+${most}\\s`, 'm'));
});

test('that nobody asked for is not made', async () => {
  const { running, said } = await launched([echo, 'it runs'], { bounds: undefined as never });
  expect(await running.ended).toMatchObject({ code: 0 });
  expect(await said).toBe('it runs\n');
  expect(cgroups.noted).toEqual([]);
});

test('is closed with the launcher, when those of all that ran are removed', async () => {
  const { running } = await launched(['/usr/bin/sleep', '1000']);
  await launcher.close();
  expect(await running.ended).toMatchObject({ kind: 'exited' });
  await expect.poll(() => markOf(running.pid), { timeout: 20_000 }).toBe(null);
  expect(cgroups.noted).toEqual(['make 8', 'take held', 'remove', 'close']);
  launcher = await ConfinedLauncher.start(paths);
});
