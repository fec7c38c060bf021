/** What a program that is started by posix_spawn has, and who is told of its end. */
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { programEnd, startProgram } from './started-program.ts';
import { close, closeOnExec, SyscallError, socketPair } from './syscalls.ts';

const shell = '/bin/sh';

async function said(script: string, environment: readonly string[] = []): Promise<string> {
  const [ours, theirs] = socketPair();
  const pid = startProgram({
    ...{ argv: [shell, '-c', script], environment, folder: '/' },
    fds: [theirs, theirs, theirs],
  });
  close(theirs);
  const all = await text(new Socket({ fd: ours }));
  expect(await programEnd(pid)).toEqual({ code: 0, signal: null });
  return all;
}

test('a program has the environment and the folder that it was given, and no signal blocked or ignored', async () => {
  expect(await said('pwd; echo "$A$HOME"', ['A=1'])).toBe('/\n1\n');
  const status = await said('while read -r line; do echo "$line"; done < /proc/$$/status');
  expect(status).toMatch(/^SigBlk:\s*0+$/m);
  expect(status).toMatch(/^SigIgn:\s*0+$/m);
});

test('a program has its descriptors in their order, even where those lie in each other’s way, and no other', async () => {
  const [ours, theirs] = socketPair();
  closeOnExec(3);
  const zero = openSync('/dev/zero', 'r');
  const script = 'for fd in 0 2 3; do readlink /proc/$$/fd/$fd; done; ls /proc/$$/fd; :';
  const pid = startProgram({
    ...{ argv: [shell, '-c', script], environment: [], folder: '/' },
    // Two of ours lie where others shall be.
    fds: [zero, theirs, 0, 1],
  });
  close(theirs);
  closeSync(zero);
  const [first, third, fourth, ...all] = (await text(new Socket({ fd: ours }))).trim().split('\n');
  expect(first).toBe('/dev/zero');
  expect([third, fourth]).toEqual([0, 1].map((fd) => readlinkSync(`/proc/self/fd/${fd}`)));
  expect(all).toEqual(['0', '1', '2', '3']);
  expect(await programEnd(pid)).toEqual({ code: 0, signal: null });
});

test('each end is told to who waits for it: an exit code, a signal, one of long ago, many at once', async () => {
  const start = (script: string) =>
    startProgram({ argv: [shell, '-c', script], environment: [], fds: [], folder: '/' });
  const early = start('exit 3');
  const codes = Array.from({ length: 20 }, (_, code) => start(`exit ${code}`));
  const killed = start('sleep 1000');
  const ends = codes.map(programEnd);
  const killedEnd = programEnd(killed);
  process.kill(killed, 'SIGKILL');
  expect(await Promise.all(ends)).toEqual(codes.map((_, code) => ({ code, signal: null })));
  expect(await killedEnd).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await programEnd(early)).toEqual({ code: 3, signal: null });
  expect(process.listenerCount('SIGCHLD')).toBe(0);
});

test('a program that is not there, or no program, is refused by the name of the error', () => {
  const start = (path: string) => startProgram({ argv: [path], environment: [], fds: [], folder: '/' });
  expect(() => start('/nowhere')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => start('/etc/passwd')).toThrow(SyscallError);
});
