/** The fork engine on real VMs: forks diverge, forks of forks too, a killed engine leaves nothing, networks hold. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { labEngine, labTemplate, said } from './lab-engine.ts';

const patienceMs = 300_000;
const own = (name: string) => new URL(`./${name}.ts`, import.meta.url).pathname;
let folder: string;
let accelerator: Accelerator;

beforeAll(async () => {
  folder = makeLabFolder('engine');
  ({ accelerator } = await probeAccelerator());
}, patienceMs);
afterAll(() => removeLabFolder(folder));

/** Processes below one, by pid. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'latin1')) ?? [];
      return Number(parent) === pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

test('an engine that is killed amid forks leaves no VM, and the next one starts from what it had built', {
  timeout: patienceMs,
}, async () => {
  const child = spawn(process.execPath, [own('engine-to-kill'), `${folder}/state`, accelerator], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', (_code, signal) => resolve(signal)));
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve)),
    ended.then((signal) => `ended: ${signal}`),
  ]);
  const { template } = JSON.parse(line) as { template: string };
  const vms = childrenOf(child.pid ?? 0);
  expect(vms.length).toBeGreaterThanOrEqual(3);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  await expect.poll(() => vms.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 5_000 }).toEqual([]);

  const engine = await labEngine(`${folder}/state`, accelerator);
  try {
    expect(engine.templates().map(({ id }) => id)).toEqual([template]);
    expect(engine.sandboxes()).toEqual([]);
    const { id } = await engine.fork({ template, network: null, secrets: [] });
    expect(await said(engine, id, '/bin/cat', '/tmp/warm')).toBe('warm');
  } finally {
    await engine.close();
  }
  expect(
    childrenOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu')),
  ).toEqual([]);
});

test('forks never read the same, nor does a fork of a running sandbox; all are gated by the witness', {
  timeout: patienceMs,
}, async () => {
  const engine = await labEngine(`${folder}/state`, accelerator);
  try {
    const template = await engine.buildTemplate(await labTemplate());
    expect(template.readsGenerator).toBe(true);
    const program =
      'const c=require("crypto");console.log([c.randomBytes(8).toString("hex"),c.randomUUID(),Math.random(),require("fs").readFileSync("/proc/sys/kernel/random/uuid","utf8").trim()].join(" "))';
    const read = new Set<string>();
    let readings = 0;
    const look = async (id: string) => {
      for (const word of (await said(engine, id, 'node', '-e', program)).split(' ')) {
        readings += 1;
        read.add(word);
      }
    };
    const first = await engine.fork({ template: template.id, network: null, secrets: [] });
    for (let each = 0; each < 5; each++) {
      const { id } = await engine.fork({ template: template.id, network: null, secrets: [] });
      await look(id);
      await engine.terminate(id);
    }
    await look(first.id);
    await said(engine, first.id, '/bin/sh', '-c', 'echo live > /tmp/live');
    const children = await engine.forkSandbox(first.id, { replicas: 2, allowSecretInheritance: false });
    for (const { id } of [first, ...children]) {
      expect(await said(engine, id, '/bin/cat', '/tmp/live')).toBe('live');
      await look(id);
    }
    expect(readings).toBe(4 * 9);
    expect(read.size).toBe(readings);
  } finally {
    await engine.close();
  }
});

test('forks of a rehearsed pool never read the same, nor what a fork that was not rehearsed reads', {
  timeout: patienceMs,
}, async () => {
  const engine = await labEngine(`${folder}/state`, accelerator);
  try {
    const template = (await engine.buildTemplate(await labTemplate())).id;
    const fork = () => engine.fork({ template, network: null, secrets: [] });
    const anew = await fork();
    await engine.keepReady(template, 2, true);
    const rehearsed = [await fork(), await fork()];
    const read = ['/bin/sh', '-c', 'cat /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | xxd -p'];
    const all = await Promise.all([anew, ...rehearsed].map(({ id }) => said(engine, id, ...read)));
    expect(new Set(all).size).toBe(3);
    for (const one of all) expect(one).toMatch(/^[0-9a-f-]{36}\n[0-9a-f]+/);
  } finally {
    await engine.close();
  }
});

test('a guest reaches what its policy allows, and neither the machine nor anything else', {
  timeout: patienceMs,
}, async () => {
  const command = ['-nm', process.execPath, own('networked-engine'), `${folder}/state`, accelerator];
  const mounted =
    'mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns; }; exec "$@"';
  const [flags, ...program] = command;
  const { stdout } = await promisify(execFile)(
    'unshare',
    [flags ?? '', 'sh', '-c', mounted, '-', ...program],
    {
      timeout: patienceMs,
    },
  );
  const found = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
  expect(found).toMatchObject({
    allowed: 'reached 203.0.113.2',
    allowedAgain: 'reached 203.0.113.2',
    during: 2,
    left: [],
  });
  const { notAllowed, closed, none, machineByUplink, machineByLink, gateway, afterFork } = found;
  for (const word of [notAllowed, closed, machineByUplink, machineByLink, gateway, none]) {
    expect(String(word)).not.toContain('reached');
  }
  expect(JSON.stringify(afterFork)).not.toContain('reached');
});
