/** The process of a husk, on the fake VMM: what its control socket takes, how it ends, and what is left then. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { passedDescriptor } from '#reference/base/passed-descriptor.ts';
import { fcntl } from '#reference/base/syscalls.ts';
import { openControlSocket } from '#reference/husk/control-socket.ts';
import { askHusk, tell } from './control-client.ts';
import { type Engine, EngineGround } from './engine-ground.ts';
import type { Lie } from './engine-guest.ts';
import { FalseForkd } from './false-forkd.ts';
import { socketIn } from './node-ground.ts';

const [F_GETFD, F_SETFD, F_DUPFD_CLOEXEC] = [1, 2, 1030];
const patience = { timeout: 120_000 };
const own = (name: string) => new URL(`./${name}.ts`, import.meta.url).pathname;
const real = new URL('../../reference/main/husk.ts', import.meta.url).pathname;
const policy = { egress: 'deny', allow: ['*.ok.test:443'], inbound: [] } as const;
const value = 'not for everybody';
const secrets = [{ name: 'key', value, envVar: 'KEY' }];
const activate = { ask: 'activate', policy, secrets } as const;

let ground: EngineGround;
let engine: Engine | null;
let snapshot: string;
let children: ChildProcess[];
beforeEach(async () => {
  ground = new EngineGround();
  children = [];
  engine = await ground.start({ nodeSocket: socketIn(ground.folder) });
  ({ snapshot } = await engine.forkd.buildTemplate(ground.spec()));
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await engine?.forkd.close();
  ground[Symbol.dispose]();
});

interface Ended {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

function started(program: string, parameters: readonly string[]) {
  const child = spawn(process.execPath, [program, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const lines: string[] = [];
  let errors = '';
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (line === '{"ready":true}') ready.resolve();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended: Promise<Ended> = once(child, 'close').then(([code]) => ({ code, lines, errors }));
  void ended.then(() => ready.reject(new Error(errors)));
  ready.promise.catch(() => undefined);
  return { child, ended, ready: ready.promise, said: () => errors };
}

async function husk(name = 'husk', lie: Lie = 'none') {
  const running = started(own('husk-main'), [ground.folder, name, lie]);
  await running.ready;
  return { ...running, path: `${ground.folder}/${name}.sock` };
}

const prepared = async (name?: string, lie?: Lie) => {
  const running = await husk(name, lie);
  expect(await askHusk(running.path, { ask: 'prepare', snapshot })).toMatchObject({
    ...{ ok: true, phase: 'dormant', snapshot, generation: null },
  });
  return running;
};

const nothingLeft = (ended: Ended) => expect(ended.lines.at(-1)).toBe('{"left":[]}');

describe('a husk as a process', () => {
  test(
    'is prepared once, activated once, changed, and terminated; its end is told when nothing is left',
    patience,
    async () => {
      const { path, ended } = await prepared();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(await askHusk(path, { ask: 'prepare', snapshot })).toMatchObject({ code: 'husk-not-dormant' });
      const both = await Promise.all([askHusk(path, activate), askHusk(path, activate)]);
      expect(both.filter((answer) => answer?.ok === true)).toHaveLength(1);
      expect(both.find((answer) => answer?.ok === false)).toMatchObject({ code: 'husk-not-dormant' });
      expect(await askHusk(path, { ask: 'status' })).toMatchObject({ phase: 'active', generation: 1 });
      expect(await askHusk(path, { ask: 'change-policy', policy })).toMatchObject({ ok: true });
      expect(await askHusk(path, { ask: 'terminate' })).toMatchObject({ ok: true, phase: 'ended' });
      const end = await ended;
      expect(end.code).toBe(0);
      nothingLeft(end);
      expect(end.errors).not.toContain(value);
      expect(existsSync(path)).toBe(false);
    },
  );

  test.for(['new', 'dormant', 'active'] as const)(
    'that is %s ends with SIGTERM, and leaves nothing',
    patience,
    async (phase) => {
      const { child, path, ended } = phase === 'new' ? await husk() : await prepared();
      if (phase === 'active') expect(await askHusk(path, activate)).toMatchObject({ ok: true });
      child.kill('SIGTERM');
      const end = await ended;
      expect(end.code).toBe(0);
      nothingLeft(end);
      expect(existsSync(path)).toBe(false);
    },
  );

  test('answers who waits for an activation when it is told to end meanwhile', patience, async () => {
    const { path, child, ended } = await prepared('husk', 'silent');
    const activating = askHusk(path, activate);
    await expect.poll(async () => (await askHusk(path, { ask: 'status' }))?.phase).toBe('activating');
    child.kill('SIGTERM');
    expect(await activating).toMatchObject({ ok: false, code: 'fork-refused', phase: 'ended' });
    const end = await ended;
    expect(end.code).toBe(0);
    nothingLeft(end);
  });
});

describe('a husk as a process, when not all is well,', () => {
  test('that waits for a forkd that is silent ends with SIGTERM all the same', patience, async () => {
    const { path, child, ended } = await husk();
    await engine?.forkd.close();
    engine = null;
    const silent = await FalseForkd.open(`${ground.folder}/node.sock`, null);
    const preparing = askHusk(path, { ask: 'prepare', snapshot });
    await expect.poll(() => silent.heard.length).toBe(1);
    child.kill('SIGTERM');
    expect(await preparing).toMatchObject({ ok: false, code: 'node-unreachable', phase: 'ended' });
    const end = await ended;
    expect(end.code).toBe(0);
    nothingLeft(end);
    await silent[Symbol.asyncDispose]();
  });

  test(
    'that the gate refuses says so to who asked and at its end, and has left nothing',
    patience,
    async () => {
      const { path, ended } = await prepared('husk', 'boolean');
      expect(await askHusk(path, activate)).toMatchObject({
        ok: false,
        code: 'fork-refused',
        phase: 'ended',
      });
      const end = await ended;
      expect(end.code).toBe(2);
      expect(end.errors).toContain('[fork-refused]');
      nothingLeft(end);
    },
  );

  test(
    'takes no snapshot that forkd does not have under that name, and stays as it was',
    patience,
    async () => {
      const { path, child, ended } = await husk();
      const other = { ask: 'prepare', snapshot: '0'.repeat(64) } as const;
      expect(await askHusk(path, other)).toMatchObject({ code: 'no-such-template', phase: 'new' });
      await engine?.forkd.close();
      engine = null;
      expect(await askHusk(path, { ask: 'prepare', snapshot })).toMatchObject({
        ...{ code: 'node-unreachable', phase: 'new' },
      });
      child.kill('SIGTERM');
      nothingLeft(await ended);
    },
  );

  test('two of one template never both pass with one sample', patience, async () => {
    const husks = await Promise.all([prepared('one', 'same sample'), prepared('two', 'same sample')]);
    const answers = await Promise.all(husks.map(({ path }) => askHusk(path, activate)));
    expect(answers.filter((answer) => answer?.ok === true)).toHaveLength(1);
    expect(answers.find((answer) => answer?.ok === false)).toMatchObject({
      ...{ code: 'fork-refused', message: expect.stringContaining('seen before') },
    });
  });

  test(
    'that is killed gives way to the next one at its socket, and never one that lives',
    patience,
    async () => {
      const first = await prepared();
      const beside = started(own('husk-main'), [ground.folder, 'husk', 'none']);
      expect(await beside.ended).toMatchObject({
        code: 2,
        errors: expect.stringContaining('[control-socket-taken]'),
      });
      first.child.kill('SIGKILL');
      await first.ended;
      expect(existsSync(first.path)).toBe(true);
      const second = await prepared();
      expect(await askHusk(second.path, activate)).toMatchObject({ ok: true, generation: 1 });
    },
  );
});

describe('the control socket of a husk', () => {
  const line = (asked: object) => `${JSON.stringify({ v: 1, ...asked })}\n`;

  test('refuses what is no request by its field, and never says what stood in it', patience, async () => {
    const { path, said } = await prepared();
    const cases: [asked: object, what: RegExp][] = [
      [{ ask: 'forget' }, /ask is none of prepare, activate/],
      [{ ask: 'status', more: value }, /additional properties/],
      [{ ask: 'prepare', snapshot: value }, /\/snapshot must match/],
      [{ ask: 'activate', policy, secrets: [{ name: 'key', value: 7, more: value }] }, /\/secrets\/0/],
      [{ ask: 'activate', policy: { ...policy, egress: value }, secrets: [] }, /\/policy\/egress/],
      [{ ...activate, hostname: value }, /\/hostname/],
      [{ v: 2, ask: 'status' }, /\/v must be/],
    ];
    for (const [asked, what] of cases) {
      const answer = await tell(path, line(asked));
      expect(JSON.parse(answer ?? '')).toMatchObject({
        ...{ ok: false, code: 'bad-husk-request', phase: 'dormant', message: expect.stringMatching(what) },
      });
      expect(answer).not.toContain(value);
    }
    expect(JSON.parse((await tell(path, '[]\n')) ?? '')).toMatchObject({ code: 'bad-husk-request' });
    expect(await askHusk(path, activate)).toMatchObject({ ok: true });
    expect(said()).not.toContain(value);
  });

  test(
    'hangs up on what is no JSON, on two requests at once, and on a line without end',
    patience,
    async () => {
      const { path } = await husk();
      for (const text of ['garbage\n', '\n', line({ ask: 'status' }).repeat(2), 'x'.repeat((4 << 20) + 1)]) {
        expect(await tell(path, text)).toBe(null);
      }
      expect(await askHusk(path, { ask: 'status' })).toMatchObject({ phase: 'new' });
    },
  );

  test('goes on with what was asked when who asked hangs up', patience, async () => {
    const { path } = await prepared();
    const socket = connect(path);
    socket.write(line(activate), () => socket.destroy());
    await expect
      .poll(async () => (await askHusk(path, { ask: 'status' }))?.phase, { timeout: 20_000 })
      .toBe('active');
  });
});

describe('a control socket that was passed', () => {
  const log = openLog('test', 'silent');
  const answer = async () => ({ v: 1, ok: true, phase: 'new', snapshot: null, generation: null }) as const;
  const copyOf = (fd: number) => fcntl(fd, F_DUPFD_CLOEXEC, 0);

  test('is served, and no program that is started has it; one that does not listen is refused', async () => {
    const path = `${ground.folder}/passed.sock`;
    const listener = createServer().listen(`${path}.listener`);
    await once(listener, 'listening');
    const { _handle: handle } = listener as Server & { readonly _handle: { readonly fd: number } };
    const fd = copyOf(handle.fd);
    // Whoever closes it removes its path.
    renameSync(`${path}.listener`, path);
    listener.close();
    // As one that a parent has passed.
    fcntl(fd, F_SETFD, 0);
    const passed = passedDescriptor(`fd:${fd}`);
    expect(passed).toBe(fd);
    expect(fcntl(fd, F_GETFD, 0)).toBe(1);
    expect(() => passedDescriptor('fd:2')).toThrow(/EBADF/);
    const socket = await openControlSocket({ fd }, answer, log);
    expect(await askHusk(path, { ask: 'status' })).toMatchObject({ phase: 'new' });
    await socket.close();
    const none = openSync('/dev/null', 'r');
    await expect(openControlSocket({ fd: none }, answer, log)).rejects.toMatchObject({
      code: 'control-socket-taken',
    });
    closeSync(none);
  });
});

describe('the flags of a husk', () => {
  test('--help shows examples; flags and files that are none are refused by name', patience, async () => {
    const help = await started(real, ['--help']).ended;
    expect(help.code).toBe(0);
    expect(help.lines.join('\n')).toMatch(
      /Usage: [\s\S]*Examples:\n {2}node reference\/main\/husk\.ts --config/,
    );
    const file = `${ground.folder}/husk.json`;
    writeFileSync(file, JSON.stringify({ node: { path: '/run/x', uid: -1 } }));
    const cases: [flags: string[], what: RegExp][] = [
      [[], /--config is missing/],
      [['--config', file], /--control is missing/],
      [['--config', `${file}.none`, '--control', 'x'], /husk\.json\.none: it cannot be read as JSON/],
      [['--config', file, '--control', 'x'], /husk\.json: .*/],
      [['--config', file, '--control', 'x', '--unknown'], /--unknown/],
    ];
    for (const [flags, what] of cases) {
      const { code, errors } = await started(real, flags).ended;
      expect(errors).toMatch(what);
      expect(errors.trim().split('\n')).toHaveLength(2);
      expect(errors).toContain('[bad-flag]');
      expect(code).toBe(2);
    }
  });
});
