/** The cgroup of each VM, on a kernel that has version 2: a guest's, whatever the host's is. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { openEngine } from '#reference/main/open-engine.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { probeAccelerator } from '../providers/microvm/accelerator.ts';
import { labTemplate } from './lab-engine.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const inGuest = 'opt/huskproof';
const program = 'kvm-lab/vm-tests/cgroup-probe.ts';
const files = [program, 'reference/vmm/confinement/vm-cgroups.ts', 'reference/base/process-mark.ts'];
const patience = { timeout: 900_000 };

let folder: string;
beforeAll(() => {
  folder = makeLabFolder('cgroups');
  for (const file of files) {
    const to = `${folder}/root/${inGuest}/${file}`;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(`${root}${file}`, to);
  }
  const manifest = { type: 'module', imports: { '#reference/*': './reference/*' } };
  writeFileSync(`${folder}/root/${inGuest}/package.json`, JSON.stringify(manifest));
});
afterAll(() => removeLabFolder(folder));

test('bounds memory, processes and processor of real processes, and leaves no cgroup', patience, async () => {
  const { accelerator } = await probeAccelerator();
  const log = openLog('cgroups', 'warn');
  const engine = await openEngine(
    { folder: `${folder}/state`, accelerator, network: 'none', log },
    { activation: { deadlineMs: 120_000 }, deadlines: { bootMs: 400_000, answerMs: 200_000 } },
  );
  try {
    const spec = { ...(await labTemplate()), init: [], rootfs: `${folder}/root` };
    const { id: template } = await engine.buildTemplate(spec);
    const { id } = await engine.fork({ template, network: null, secrets: [] });
    let text = '';
    const argv = ['/bin/sh', '-c', `node /${inGuest}/${program} 2>&1`];
    const order = { argv, timeout_ms: 600_000, max_output_octets: 1 << 20 };
    await engine.exec(id, order, (_stream, octets) => {
      text += octets.toString();
    }).ended;
    const found = JSON.parse(text.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(found).toEqual({
      undelegated: expect.stringMatching(/has no controller/),
      leftovers: [],
      ownCgroup: '0::/delegated/mitos-engine',
      memoryWithin: { end: 0, seen: 0 },
      memoryBeyond: { end: 'SIGKILL', seen: 1 },
      processesWithin: { end: 0, seen: 0 },
      processesBeyond: { end: expect.anything(), seen: expect.any(Number) },
      cpuWithin: { end: 0, seen: 0 },
      cpuBeyond: { end: 0, seen: expect.any(Number) },
      left: [],
    });
    const { processesBeyond, cpuBeyond } = found as Record<string, { end: unknown; seen: number }>;
    expect(processesBeyond?.end).not.toBe(0);
    expect(processesBeyond?.seen).toBeGreaterThan(0);
    expect(cpuBeyond?.seen).toBeGreaterThan(0);
  } finally {
    await engine.close();
  }
});
