/** What keeps microVMs from being had is named, a probe always ends, and a lab that does not come up leaves nothing. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootGuest } from './accelerator.ts';
import { askLab, runningLab, startLab } from './lab.ts';
import { microvmUnsupported, qemuProgram } from './readiness.ts';

const kept = ['PATH', 'TMPDIR', 'HUSKPROOF_CACHE', 'NODE_OPTIONS'] as const;
const before = kept.map((name) => [name, process.env[name]] as const);
let place = '';

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'microvm-test-'));
  for (const name of ['bin', 'tmp']) mkdirSync(join(place, name));
  process.env.TMPDIR = join(place, 'tmp');
  process.env.HUSKPROOF_CACHE = join(place, 'cache');
});

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(place, { recursive: true });
});

/** Found before the real one. */
function instead(program: string, script: string): void {
  writeFileSync(join(place, 'bin', program), script, { mode: 0o755 });
  process.env.PATH = `${join(place, 'bin')}:${process.env.PATH}`;
}

describe('what microVMs need', () => {
  test('each program that is missing is named with the package that has it', () => {
    process.env.PATH = join(place, 'bin');
    expect(microvmUnsupported()).toMatchObject({ reason: 'no apt-get on PATH' });
    for (const name of ['apt-get', 'dpkg-deb', 'tar', 'xz'])
      symlinkSync('/bin/true', join(place, 'bin', name));
    expect(microvmUnsupported()?.remedy).toContain('qemu-system-x86');
    instead(qemuProgram, '#!/bin/sh\necho "QEMU emulator version 1"\n');
    expect(microvmUnsupported()).toBeNull();
  });
});

/** Stands for a monitor: opens the socket that it is told to, and answers as it is told to. */
const monitor = (answer: string) => `#!${process.execPath}
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
const words = process.argv;
const path = words.find((word) => word.includes('id=control,')).split('path=')[1].split(',')[0];
writeFileSync(words[words.indexOf('-serial') + 1].slice('file:'.length), '[ 0.1] kernel\\nagent: ready\\n');
createServer((socket) => socket.on('error', () => 0).once('data', () => ${answer})).listen(path);
`;

describe('a probe boot', () => {
  const guest = { kernel: 'k', initrd: 'i', commandLine: 'quiet' };
  const probe = (withinMs: number) => bootGuest('tcg', guest, withinMs);

  afterEach(() => {
    expect(readdirSync(join(place, 'tmp'))).toEqual([]);
  });

  test('of a guest that answers is a success', async () => {
    instead(qemuProgram, monitor(`socket.write('{"ok":true,"agent":"x"}\\n')`));
    expect(await probe(20_000)).toBeNull();
  });

  test('of a monitor that ends says what it said', async () => {
    instead(qemuProgram, '#!/bin/sh\necho "no such machine" >&2\nexit 3\n');
    expect(await probe(20_000)).toMatch(/^ended with 3: no such machine; it printed nothing/);
  });

  test.each([
    ['never answers', '0'],
    ['answers something else', `socket.write('{"ok":false}\\n')`],
    ['answers without end', `setInterval(() => socket.write('x'.repeat(1000)), 1)`],
    ['hangs up', 'socket.destroy()'],
  ])('of a guest that %s always ends at its deadline, with what it printed', async (_, answer) => {
    instead(qemuProgram, monitor(answer));
    expect(await probe(1_500)).toMatch(/^did not answer within 1.5 s; it printed: agent: ready/);
  });
});

describe('the lab that stays', () => {
  const order = { kernel: '6.1-cloud', guest: 'honest', memoryMiB: 512 };

  test('where none is up it is said, and how to have one', async () => {
    expect(runningLab()).toBeNull();
    await expect(askLab({ verb: 'status' }, () => undefined)).rejects.toMatchObject({
      code: 'no-lab',
      remediation: 'pnpm lab up',
    });
  });

  test('what kept it from coming up is told as it is, and nothing is left', async () => {
    const started = startLab({ ...order, kernel: '5.10' }, () => undefined);
    await expect(started).rejects.toMatchObject({ code: 'unknown-kernel' });
    expect(readdirSync(join(place, 'tmp'))).toEqual([]);
  });

  test('a process that ends before it is up is an error, never a wait', async () => {
    process.env.NODE_OPTIONS = '--no-such-option';
    await expect(startLab(order, () => undefined)).rejects.toMatchObject({
      code: 'lab-failed',
      message: 'the lab did not come up: its process ended with 9',
    });
  });
});
