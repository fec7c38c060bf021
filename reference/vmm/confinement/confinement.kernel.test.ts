/**
 * A VMM that a guest has taken over: a program that tries what such a one would, started as a VMM is. The same program
 * started like all others, by the same test, shows that each attempt can succeed.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { close, socketPair } from '#reference/base/syscalls.ts';
import { ConfinedLauncher, type LaunchedProcess, launchPrograms } from './confined-launcher.ts';
import { privileges } from './privileges.ts';

const program = readFileSync(new URL('./compromised.pl', import.meta.url), 'utf8');
const perl = '/usr/bin/perl';
const limits = { dataOctets: 1 << 28, fileOctets: 1 << 20, files: 64 };
/** The descriptor that the sealed memory has in the program; it has 0, 1 and 2 besides. */
const sealedFd = 3;
/** Root has uids to give; whoever has none shares the one that he has. */
const givesUids = (() => {
  const uid = privileges().takeUid();
  privileges().giveBackUid(uid);
  return uid !== null;
})();

const paths = {
  programs: [...launchPrograms, perl, '/usr/bin/sleep', '/lib64/ld-linux-x86-64.so.2'],
  readable: ['/usr/lib', '/etc/ld.so.cache'],
  writable: ['/dev/null'],
};

let launcher: ConfinedLauncher;
let sibling: { readonly launched: LaunchedProcess; readonly end: Socket };
let folder: string;
let sealed: number;
const servers: Server[] = [];

/** What one process says until it ends. */
async function confined(
  ...words: readonly string[]
): Promise<{ launched: LaunchedProcess; said: Promise<string> }> {
  const [ours, theirs] = socketPair();
  const said = text(new Socket({ fd: ours }));
  try {
    const launched = await launcher.launch(words, [theirs, theirs, sealed], limits);
    return { launched, said };
  } finally {
    close(theirs);
  }
}

async function listening(path: string): Promise<void> {
  const server = createServer((socket) => socket.end());
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'confinement-'));
  execFileSync('chmod', ['0777', folder]);
  for (const name of ['secret', 'open', 'doomed']) writeFileSync(join(folder, name), 'x', { mode: 0o666 });
  execFileSync('chmod', ['0666', join(folder, 'open')]);
  mkdirSync(join(folder, 'mount'));
  await listening(join(folder, 'socket'));
  execFileSync('chmod', ['0777', join(folder, 'socket')]);
  await listening(`\0${folder}`);
  sealed = createMemfd('sealed');
  writeSync(sealed, 'what was hashed');
  seal(sealed);
  launcher = await ConfinedLauncher.start(paths);
  const { launched } = await confined('/usr/bin/sleep', '1000');
  sibling = { launched, end: new Socket() };
});

afterAll(async () => {
  sibling?.launched.kill();
  await launcher?.close();
  for (const server of servers) server.close();
  // What the control mounted, where it may mount.
  spawnSync('umount', [join(folder, 'mount')], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
});

function attempts(said: string): Map<string, string> {
  return new Map(
    said
      .trim()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]),
  );
}

const words = () => [
  perl,
  '-e',
  program,
  folder,
  String(process.pid),
  String(sibling.launched.pid),
  String(sealedFd),
];

/** What succeeds all the same without a uid of its own, and is no way out, or the one that is left. */
const permitted = (): string[] => {
  const alreadyIs = process.getuid?.() === 0 ? ['be root', 'be another group'] : [];
  // They are of one uid and in one domain of Landlock: a sandbox of the same owner can end another.
  return givesUids ? [] : ['signal the thread of a sibling', ...alreadyIs];
};

describe('a VMM that a guest has taken over', () => {
  test('can do none of what a process of the same program can', async () => {
    const { launched, said } = await confined(...words());
    const inside = attempts(await said);
    expect(await launched.ended).toMatchObject({ code: 0 });
    const outside = attempts(await unconfined());
    expect(inside.size).toBeGreaterThan(40);
    expect([...outside.keys()]).toEqual([...inside.keys()]);
    const succeeded = (tried: Map<string, string>) =>
      [...tried].filter(([, outcome]) => outcome === 'done').map(([what]) => what);
    expect(succeeded(inside)).toEqual(permitted());
    // What nobody can do here shows nothing about the confinement, and is named.
    const impossible = [...outside].filter(([what, outcome]) => outcome !== 'done' && what !== 'descriptors');
    console.log(
      `not possible outside either: ${impossible.map((one) => one.join(' ')).join('; ') || 'nothing'}`,
    );
    expect(impossible.length).toBeLessThan(10);
  });

  test('holds the descriptors that it was given, and no other', async () => {
    const { said } = await confined(...words());
    expect(attempts(await said).get('descriptors')).toBe(`0,1,2,${sealedFd}`);
    expect(readFileSync(`/proc/self/fd/${sealed}`, 'utf8')).toBe('what was hashed');
  });

  test('has no capability, no way to get one, a filter of calls, limits, and a uid of its own where there are any', () => {
    const { pid } = sibling.launched;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\\s*0+$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    const [, uid = ''] = /^Uid:\s*(\d+)/m.exec(status) ?? [];
    if (givesUids) expect(Number(uid)).toBeGreaterThan(60_000);
    const own = readFileSync(`/proc/${pid}/limits`, 'utf8');
    expect(own).toMatch(/^Max core file size\s+0\s+0\s/m);
    const bounded = {
      'data size': limits.dataOctets,
      'file size': limits.fileOctets,
      'open files': limits.files,
    };
    for (const [what, most] of Object.entries(bounded)) {
      expect(own).toMatch(new RegExp(`^Max ${what}\\s+${most}\\s+${most}\\s`, 'm'));
    }
  });

  test('that speaks over local sockets can make those, and reach who lets everybody reach it', async () => {
    const run = mkdtempSync(join(tmpdir(), 'confinement-'));
    const other = await ConfinedLauncher.start({ ...paths, sockets: [run] });
    const [ours, theirs] = socketPair();
    const said = text(new Socket({ fd: ours }));
    await other.launch(words(), [theirs, theirs, sealed], limits, run);
    close(theirs);
    const inside = attempts(await said);
    await other.close();
    rmSync(run, { recursive: true });
    const succeeded = [...inside].filter(([, outcome]) => outcome === 'done').map(([what]) => what);
    // Landlock has no word on sockets with a path: their mode decides, and the folder's.
    const speaks = ['connect to a socket of its parent'];
    expect(succeeded.filter((what) => !permitted().includes(what))).toEqual(speaks);
    expect(inside.get('make a TCP socket')).toBe('EPERM');
    expect(inside.get('connect to an abstract socket of its parent')).toBe('EPERM');
  });

  test('dies with the launcher', async () => {
    const other = await ConfinedLauncher.start({
      programs: [...launchPrograms, '/usr/bin/sleep', '/lib64/ld-linux-x86-64.so.2'],
      readable: ['/usr/lib', '/etc/ld.so.cache'],
      writable: ['/dev/null'],
    });
    const [ours, theirs] = socketPair();
    const { pid, ended } = await other.launch(['/usr/bin/sleep', '1000'], [theirs, theirs], limits);
    close(theirs);
    close(ours);
    await other.close();
    expect(await ended).toMatchObject({ kind: 'exited' });
    await expect.poll(() => stateOf(pid)).toMatch(/^(gone|Z)/);
    await expect(other.launch(['/usr/bin/sleep', '1'], [], limits)).rejects.toMatchObject({
      code: 'vmm-failed',
    });
  });

  test('is not started when the program is none that may run', async () => {
    const { launched, said } = await confined('/usr/bin/id');
    expect(await said).toMatch(/Permission denied/);
    expect(await launched.ended).not.toMatchObject({ code: 0 });
  });
});

function stateOf(pid: number): string {
  try {
    return /^State:\s*(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'gone';
  }
}

/** The positive control. */
async function unconfined(): Promise<string> {
  const [file = '', ...parameters] = words();
  const child: ChildProcess = spawn(file, parameters, { stdio: ['ignore', 'pipe', 'inherit', sealed] });
  return text(child.stdout as NodeJS.ReadableStream);
}
