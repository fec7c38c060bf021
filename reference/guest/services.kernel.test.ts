/**
 * exec and files of the agent for real: real programs and files, in namespaces of their own.
 * Needs: root (cgroups).
 */
import { hash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { maxChunksInFlight, maxServicesInFlight } from '#reference/contract/guest-protocol.ts';
import { AgentTalk, type Reply } from './agent-talk.ts';

const talk = AgentTalk.forThisFile();

beforeAll(() => talk.snapshotAndFork());

describe('exec', () => {
  test('passes argv, env, cwd and stdin on, and tells stdout, stderr and the exit code', async () => {
    const id = talk.exec(['sh', '-c', 'echo "$1 $WORD $PWD"; cat; echo no >&2; exit 5', '-', 'a b'], {
      env: { WORD: 'ä' },
      cwd: '/run',
      stdin: true,
    });
    talk.services.send(
      { id, method: 'stdin', data: Buffer.from('in').toString('base64') },
      { id, method: 'stdin_end' },
    );
    expect(await talk.finish(id)).toMatchObject({
      ok: true,
      exit_code: 5,
      stdout: 'a b ä /run\nin',
      stderr: 'no\n',
    });
  });

  test('tells the signal that ended it, its own time and its own bound', async () => {
    expect(await talk.run('kill -TERM $$')).toMatchObject({ ok: true, signal: 'SIGTERM' });
    expect(await talk.run('sleep 600 | sleep 600', { timeout_ms: 200 })).toMatchObject({
      signal: 'SIGKILL',
      timed_out: true,
    });
    const cut = await talk.run('yes', { max_output_octets: 100_001 });
    expect(cut).toMatchObject({ ok: true, truncated: true, signal: 'SIGKILL' });
    expect(cut.stdout).toHaveLength(100_001);
  });

  test.each<[string, object, string]>([
    ['no program', { argv: ['/no/such'] }, 'the program could not be started: ENOENT'],
    ['no right to it', { argv: ['/etc/passwd'] }, 'the program could not be started: EACCES'],
    ['no folder', { argv: ['true'], cwd: '/no/such' }, 'the program could not be started: cwd is no folder'],
  ])('is refused by name: %s', async (_, request, error) => {
    expect(
      await talk.file({ method: 'exec', timeout_ms: 1_000, max_output_octets: 0, ...request }),
    ).toMatchObject({ ok: false, error });
  });

  test('ends though something in the background holds its output open', async () => {
    expect(await talk.run('sleep 600 & echo $!')).toMatchObject({ ok: true, exit_code: 0 });
    await talk.run('pkill sleep');
  });

  test('kills a group on request, and takes back what is cancelled', async () => {
    const id = talk.exec(['sh', '-c', 'sleep 600 & wait']);
    talk.services.send({ id, method: 'kill', signal: 'SIGTERM' });
    expect(await talk.finish(id)).toMatchObject({ ok: true, signal: 'SIGTERM' });
    const other = talk.exec(['sleep', '600']);
    talk.services.send({ id: other, method: 'cancel' });
    expect(await talk.finish(other)).toMatchObject({ ok: false, error: 'cancelled' });
  });
});

describe('an exec beside others', () => {
  test('stands still when nobody acknowledges, and holds up nobody else', async () => {
    const id = talk.exec(['yes'], { max_output_octets: 1e12 });
    const chunks: Reply[] = [];
    while (chunks.length < maxChunksInFlight) chunks.push(await talk.services.next());
    expect(chunks.every((chunk) => chunk.id === id)).toBe(true);
    expect(await talk.run('echo other')).toMatchObject({ ok: true, stdout: 'other\n' });
    talk.services.send({ id, method: 'ack', chunks: 1 });
    expect(await talk.services.next()).toMatchObject({ id, stream: 'stdout' });
    talk.services.send({ id, method: 'cancel' });
    expect(await talk.finish(id)).toMatchObject({ ok: false });
  });

  test('ends who sends more than the window holds, or acknowledges what was not sent', async () => {
    const data = Buffer.alloc(32_768, 'x').toString('base64');
    const id = talk.exec(['sleep', '600'], { stdin: true });
    for (let chunk = 0; chunk < 3 * maxChunksInFlight; chunk++)
      talk.services.send({ id, method: 'stdin', data });
    expect(await talk.finish(id)).toMatchObject({ ok: false, error: 'cancelled' });
    const other = talk.exec(['sleep', '600']);
    talk.services.send({ id: other, method: 'ack', chunks: 1 });
    expect(await talk.finish(other)).toMatchObject({ ok: false, error: 'cancelled' });
  });

  test('passes on a large input and output whole', async () => {
    const octets = randomBytes(1 << 20);
    const id = talk.exec(['sha256sum'], { stdin: true });
    let free = maxChunksInFlight;
    for (let at = 0; at < octets.length; at += 32_768) {
      while (free === 0) free += Number((await talk.services.next()).ack);
      talk.services.send({ id, method: 'stdin', data: octets.subarray(at, at + 32_768).toString('base64') });
      free -= 1;
    }
    talk.services.send({ id, method: 'stdin_end' });
    expect((await talk.finish(id)).stdout).toBe(`${hash('sha256', octets)}  -\n`);
  });

  test('is refused beyond the bound, and an id in use is refused under id 0', async () => {
    const ids = Array.from({ length: maxServicesInFlight }, () => talk.exec(['sleep', '600']));
    expect(await talk.run('true')).toMatchObject({ ok: false, error: 'busy: 16 requests are in flight' });
    talk.services.send({ id: ids[0], method: 'stat', path: '/' });
    expect(await talk.services.next()).toEqual({ id: 0, ok: false, error: 'the id is in use' });
    for (const id of ids) talk.services.send({ id, method: 'cancel' });
    for (const _ of ids) expect(await talk.services.next()).toMatchObject({ ok: false, error: 'cancelled' });
  });

  test('leaves no zombie, of its own or of others', async () => {
    await talk.run('for i in 1 2 3 4 5 6 7 8; do (sh -c "sleep 0.05 & exec true" &); done; exec true');
    await talk.run('sleep 0.3');
    expect((await talk.run('cat /proc/[0-9]*/stat | grep -c ") Z " || true')).stdout).toBe('0\n');
  });

  test('runs in the workload alone: the agent is in no cgroup of it', async () => {
    // It is there while it starts one.
    const back = 'until grep -qx 0::/ /proc/1/cgroup; do sleep 0.02; done';
    expect((await talk.run(`${back}; cat /proc/self/cgroup /proc/1/cgroup | grep ^0:`)).stdout).toMatch(
      /^0::\/workload\/program-\d+\n0::\/\n$/,
    );
  });

  test('goes with the host that asked for it', async () => {
    talk.exec(['sh', '-c', 'exec sleep 601']);
    await talk.run('true');
    talk.services.close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    talk.services = await talk.agent.channel('services');
    expect((await talk.run('pgrep -f "[s]leep 601" | wc -l')).stdout).toBe('0\n');
  });
});

describe('files', () => {
  const write = (path: string, ...chunks: string[]) => {
    const id = ++talk.lastId;
    talk.services.send({ id, method: 'write', path, mode: 0o640 });
    for (const [index, chunk] of chunks.entries()) {
      const end = index === chunks.length - 1 ? { end: true } : {};
      talk.services.send({ id, method: 'data', data: Buffer.from(chunk).toString('base64'), ...end });
    }
    return talk.finish(id);
  };
  const read = (path: string, max_octets = 1_000) => talk.file({ method: 'read', path, max_octets });

  test('are written whole with their folders and mode, read, listed, and removed', async () => {
    expect(await write('/run/files/new/a', 'one ', 'two')).toMatchObject({ ok: true });
    expect(await read('/run/files/new/a')).toMatchObject({ ok: true, data: 'one two' });
    expect(await talk.file({ method: 'stat', path: '/run/files/new/a' })).toMatchObject({
      ok: true,
      entry: { name: 'a', kind: 'file', octets: 7, mode: 0o640 },
    });
    talk.services.send({ id: ++talk.lastId, method: 'list', path: '/run/files/new' });
    expect(await talk.services.next()).toMatchObject({
      stream: 'entries',
      entries: [{ name: 'a', kind: 'file' }],
    });
    expect(await talk.services.next()).toMatchObject({ ok: true });
    expect(await talk.file({ method: 'remove', path: '/run/files/new' })).toMatchObject({
      error: 'remove: ENOTEMPTY',
    });
    for (const path of ['/run/files/new/a', '/run/files/new']) {
      expect(await talk.file({ method: 'remove', path })).toMatchObject({ ok: true });
    }
    expect(await read('/run/files/new/a')).toMatchObject({ ok: false, error: 'read: ENOENT' });
  });

  test('are as they were when a write is cancelled, and nothing is left beside', async () => {
    await write('/run/files/kept', 'old');
    const id = ++talk.lastId;
    talk.services.send({ id, method: 'write', path: '/run/files/kept', mode: 0o600 });
    talk.services.send(
      { id, method: 'data', data: Buffer.from('new').toString('base64') },
      { id, method: 'cancel' },
    );
    expect(await talk.finish(id)).toMatchObject({ ok: false });
    expect(await read('/run/files/kept')).toMatchObject({ data: 'old' });
    expect((await talk.run('ls -A /run/files')).stdout).toBe('kept\n');
  });

  test('are never reached through a link at the end of a path, nor by what is no regular file', async () => {
    await talk.run(
      'cd /run/files; echo secret > target; ln -s target link; mkfifo fifo; ln -s /run/files folder',
    );
    expect(await read('/run/files/link')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await read('/run/files/fifo')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await read('/dev/zero')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await talk.file({ method: 'list', path: '/run/files/folder' })).toMatchObject({
      error: 'list: no folder',
    });
    expect(await write('/run/files/link', 'mine')).toMatchObject({ ok: true });
    expect(await read('/run/files/target')).toMatchObject({ data: 'secret\n' });
    await talk.run('ln -s target /run/files/again');
    expect(await talk.file({ method: 'remove', path: '/run/files/again' })).toMatchObject({ ok: true });
    expect(await read('/run/files/target')).toMatchObject({ ok: true });
  });

  test('without end, or longer than asked for, are refused or cut at what they were', async () => {
    expect(await read('/proc/kmsg')).toMatchObject({ ok: true, data: '' });
    await write('/run/files/long', 'x'.repeat(100));
    expect(await read('/run/files/long', 99)).toMatchObject({
      ok: false,
      error: 'read: longer than max_octets',
    });
  });

  test.each([
    'etc/passwd',
    '/etc/../etc/passwd',
    '/etc//passwd',
    '/etc/./passwd',
    '/etc/passwd/',
    '/etc/\0passwd',
  ])('are never reached by %j', async (path) =>
    expect(await read(path)).toMatchObject({ ok: false, error: expect.stringContaining('path') }),
  );
});

test('what was said on the console holds nothing of what was asked', () => {
  expect(talk.agent.said).toMatch(/^guest-agent: ready\n$/);
});
