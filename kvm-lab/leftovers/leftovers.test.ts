/** What is left is found by its mark alone; what runs, what is another's and what only looks alike stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineUnsupported } from '../providers/container/docker-engine.ts';
import { makeLabFolder } from './lab-folder.ts';
import { leftovers, removeLeftover } from './leftovers.ts';
import { ownerMark, ownerStart, ownerState, ownerVariable } from './owner.ts';

let gone = '';
const running: ChildProcess[] = [];
const environment = { ...process.env };
const place = mkdtempSync(join(tmpdir(), 'leftovers-test-'));

function sleeper(mark: string): ChildProcess {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', env: { ...environment, [ownerVariable]: mark } });
  running.push(child);
  return child;
}

beforeAll(async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  gone = ownerMark(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  process.env.TMPDIR = place;
  // Whether an engine runs is nothing to these tests.
  process.env.DOCKER_HOST = `unix://${place}/no.sock`;
});

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  process.env = environment;
  rmSync(place, { recursive: true, force: true });
});

const names = () => leftovers({ images: true }).found.map(({ name }) => name);

describe('a mark', () => {
  test('is running while its very process is, and gone afterwards', () => {
    expect(ownerState(ownerMark())).toBe('running');
    expect(ownerState(gone)).toBe('gone');
  });

  test('is gone when another process has the number, and after a boot', () => {
    const [boot = '', namespace, pid, start] = ownerMark().split('.');
    expect(ownerState([boot, namespace, pid, Number(start) + 1].join('.'))).toBe('gone');
    const other = boot.replace(/^./, (first) => (first === '0' ? '1' : '0'));
    expect(ownerState([other, namespace, pid, start].join('.'))).toBe('gone');
  });

  test('of another namespace of processes is never taken for gone, nor is what is no mark', () => {
    const [boot, namespace, pid, start] = ownerMark().split('.');
    expect(ownerState([boot, Number(namespace) + 1, pid, start].join('.'))).toBe('unknown');
    for (const text of ['', 'a', `${gone}x`, `x${gone}`, gone.slice(0, -1).replace(/\.\d*$/, '')])
      expect(ownerState(text), text).toBe('unknown');
  });
});

describe('the start of a run', () => {
  test('is that of the process of its mark', () => {
    const startMs = ownerStart(ownerMark())?.getTime() ?? 0;
    // The boot is known to the second, the ticks are cut to one, and Node counts from a little later.
    expect(Math.abs(startMs - (Date.now() - process.uptime() * 1000))).toBeLessThan(5_000);
    const [boot, namespace, pid, start] = ownerMark().split('.');
    const later = ownerStart([boot, namespace, pid, Number(start) + 1000].join('.'));
    expect(later?.getTime()).toBe(startMs + 10_000);
  });

  test('before this boot, or of what is no mark, is not known', () => {
    expect(ownerStart(ownerMark().replace(/^./, (first) => (first === '0' ? '1' : '0')))).toBeNull();
    expect(ownerStart('not-a-mark')).toBeNull();
  });
});

describe('folders', () => {
  test('of a process that is gone are found and removed with all that is in them; others never', async () => {
    const left = join(place, `huskproof-image-${gone}-AbCdEf`);
    mkdirSync(join(left, 'deep'), { recursive: true });
    const own = makeLabFolder('image');
    const elsewhere = join(place, 'somebody-elses');
    mkdirSync(elsewhere);
    const link = join(place, `huskproof-image-${gone}-AbCdEg`);
    symlinkSync(elsewhere, link);
    const alike = ['huskproof-notes', `huskproof-image-${gone}`, `my-huskproof-image-${gone}-AbCdEf`].map(
      (name) => join(place, name),
    );
    for (const path of alike) mkdirSync(path);
    const found = leftovers({ images: false }).found.filter(({ kind }) => kind === 'folder');
    expect(found.map(({ name }) => name)).toEqual([left]);
    for (const one of found) await removeLeftover(one);
    expect(existsSync(left)).toBe(false);
    for (const path of [own, elsewhere, link, ...alike]) expect(existsSync(path), path).toBe(true);
  });
});

test('a name by which a folder would never be found again is refused when it is made', () => {
  for (const what of ['disk-guest', 'Disk', '', 'disk2', '../disk', 'disk guest']) {
    expect(() => makeLabFolder(what), what).toThrow('one word of a to z');
  }
});

describe('processes', () => {
  test('that a run started are found when it is gone, and ended; those of a run that goes on never', async () => {
    const [left, living, strange] = [sleeper(gone), sleeper(ownerMark()), sleeper('whatever')];
    const unmarked = spawn('sleep', ['60'], { stdio: 'ignore', env: { PATH: environment.PATH } });
    running.push(unmarked);
    await expect.poll(names).toContain(`${left.pid}`);
    for (const { pid } of [living, strange, unmarked]) expect(names()).not.toContain(`${pid}`);
    const exited = once(left, 'exit');
    for (const one of leftovers({ images: false }).found.filter(({ name }) => name === `${left.pid}`))
      await removeLeftover(one);
    await exited;
    expect(left.signalCode).toBe('SIGKILL');
    for (const child of [living, strange, unmarked]) expect(child.exitCode ?? child.signalCode).toBeNull();
  });

  test('that ended meanwhile are no error, and nobody who got the number is harmed', async () => {
    await removeLeftover({ kind: 'process', name: `${process.pid}` });
    await removeLeftover({ kind: 'process', name: '4194303' });
  });
});

describe('without an engine', () => {
  test('containers and images are said to be not looked for', () => {
    const { unsearched } = leftovers({ images: true });
    expect(unsearched).toHaveLength(1);
    expect(unsearched[0]?.remedy).not.toBe('');
  });

  test('it is unsupported, with reason and remedy, whether it does not answer or is not installed', () => {
    const { PATH } = process.env;
    process.env.PATH = place;
    try {
      expect(engineUnsupported()).toEqual({
        reason: 'no docker client on PATH',
        remedy: 'apt-get install -y docker.io',
      });
    } finally {
      process.env.PATH = PATH;
    }
    const answer = engineUnsupported();
    expect(answer?.reason).toMatch(/^no docker client on PATH$|^no Docker engine answers: /);
    expect(answer?.remedy).toMatch(/docker\.io|dockerd/);
  });
});
