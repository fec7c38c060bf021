/** What bounds a VM is said once, and what was required and cannot be had is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { VmCgroups } from '../vmm/confinement/vm-cgroups.ts';
import { cgroupsFor } from './open-engine.ts';

function said() {
  const lines: unknown[] = [];
  return { lines, log: { info: (...words: unknown[]) => void lines.push(words) } };
}

test('cgroups that cannot be had are named with why, once, and refused where they are required', () => {
  const none = () => ({ cgroups: null, why: 'no controller memory' }) as const;
  const { lines, log } = said();
  expect(cgroupsFor('auto', log, none)).toBe(null);
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).toContain('no controller memory');
  expect(() => cgroupsFor('required', log, none)).toThrow(expect.objectContaining({ code: 'no-cgroups' }));
  expect(cgroupsFor('none', log, () => Promise.reject(new Error('opened')) as never)).toBe(null);
});

test('a folder that is no cgroup, or lacks a controller, is not divided', () => {
  const folder = mkdtempSync(`${tmpdir()}/huskproof-cgroup-`);
  try {
    expect(VmCgroups.open(folder)).toEqual({ cgroups: null, why: `${folder} cannot be read: ENOENT` });
    writeFileSync(`${folder}/cgroup.controllers`, 'cpu io pids\n');
    expect(VmCgroups.open(folder)).toEqual({ cgroups: null, why: `${folder} has no controller memory` });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
