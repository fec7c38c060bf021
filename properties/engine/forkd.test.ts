/** The fork engine on a fake VMM: what stands has passed the gate, and what is refused or ended has left nothing. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkedLine } from '#reference/base/checked-lines.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { markOf } from '#reference/base/process-mark.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import { takeAway } from '#reference/forkd/forkd.ts';
import { Journal } from '#reference/forkd/journal.ts';
import { TemplateFolder } from '#reference/forkd/template-folder.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { EngineGround, noSecrets, run } from './engine-ground.ts';
import type { Lie } from './engine-guest.ts';

const code = (name: string) => expect.objectContaining({ code: name });

test('builds of one template that come together boot once, and a restart finds it', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const built = await Promise.all([1, 2, 3].map(() => engine.forkd.buildTemplate(ground.spec())));
  expect(engine.guest.boots).toBe(1);
  expect(new Set(built.map(({ id }) => id)).size).toBe(1);
  const other = await engine.forkd.buildTemplate(ground.spec({ init: [{ argv: ['x'], timeout_ms: 1 }] }));
  expect(other.id).not.toBe(built[0]?.id);
  await engine.forkd.close();
  const again = await ground.start();
  expect(again.forkd.templates().length).toBe(2);
  await again.forkd.buildTemplate(ground.spec());
  expect(again.guest.boots).toBe(0);
  const sandbox = await again.forkd.fork({ template: other.id, ...noSecrets });
  expect((await run(again, sandbox.id, ['echo', 'hello'])).text).toBe('hello');
  await again.forkd.close();
  expect(again.vmm.live).toBe(0);
});

test('a template whose init fails shows its output, a process that lives on is named, and nothing is left', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  engine.guest.initOutput = 'pip: no such \u001b[31mpackage\u0000';
  const init = [{ argv: ['pip', 'install'], timeout_ms: 1_000 }];
  const failed = await engine.forkd
    .buildTemplate(ground.spec({ init }))
    .catch((error: unknown) => error as CodedError);
  expect(failed).toEqual(code('template-refused'));
  expect((failed as CodedError).message).toBe(
    'init[0] ended with code 3; it said: pip: no such ?[31mpackage?',
  );
  engine.guest.processes.push({ pid: 77, comm: 'python3' });
  await expect(engine.forkd.buildTemplate(ground.spec())).rejects.toThrow(/python3 \(77\)/);
  engine.guest.processes.length = 0;
  const kernel = { ...ground.spec().kernel, sha256: 'ab'.repeat(32) };
  await expect(engine.forkd.buildTemplate(ground.spec({ kernel }))).rejects.toThrow(code('kernel-refused'));
  engine.vmm.failures.push(new CodedError('vmm-failed', 'no memory', 'more memory'));
  await expect(engine.forkd.buildTemplate(ground.spec())).rejects.toThrow(code('vmm-failed'));
  expect(engine.vmm.live).toBe(0);
  expect(ground.left()).toEqual({ templates: [], witnesses: [], journal: [] });
  expect((await engine.forkd.buildTemplate(ground.spec())).readsGenerator).toBe(true);
  await engine.forkd.close();
});

test('one engine a folder: a second one is refused, and in another folder it is not', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  await expect(ground.start()).rejects.toThrow(code('forkd-taken'));
  const other = await ground.start({ folder: `${ground.folder}/other` });
  await other.forkd.close();
  await engine.forkd.close();
  await (await ground.start()).forkd.close();
});

test.each<[Lie, RegExp]>([
  ['silent', /deadline/],
  ['boolean', /sample/],
  ['unchanged generator', /generator unchanged/],
])('a fork that is %s is refused and reaped, and its sibling passes', async (lie, why) => {
  using ground = new EngineGround();
  const engine = await ground.start({ activation: { deadlineMs: 200 } });
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  engine.guest.lies.push(lie);
  await expect(engine.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(why);
  expect(engine.vmm.live).toBe(0);
  expect(engine.forkd.sandboxes()).toEqual([]);
  await engine.forkd.fork({ template: id, ...noSecrets });
  await engine.forkd.close();
});

test('two forks that draw the same are never both released, over a restart too', async () => {
  using ground = new EngineGround();
  const first = await ground.start();
  const { id } = await first.forkd.buildTemplate(ground.spec());
  first.guest.lies.push('same sample', 'same sample');
  await first.forkd.fork({ template: id, ...noSecrets });
  await expect(first.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(/seen before/);
  await first.forkd.close();
  const second = await ground.start();
  second.guest.lies.push('same sample');
  await expect(second.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(/seen before/);
  await second.forkd.close();
});

test('more VMs than may be: refused at once, nothing is leaked, and one that ends makes room', async () => {
  using ground = new EngineGround();
  const engine = await ground.start({ vms: { vms: 3, spareMiB: 0 } });
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const asked = await Promise.allSettled(
    Array.from({ length: 8 }, () => engine.forkd.fork({ template: id, ...noSecrets })),
  );
  const refused = asked.filter((one) => one.status === 'rejected');
  expect(refused.map(({ reason }) => (reason as CodedError).code)).toEqual(Array(5).fill('too-many-vms'));
  expect(engine.vmm.live).toBe(3);
  await engine.forkd.terminate(engine.forkd.sandboxes()[0]?.id ?? '');
  await engine.forkd.fork({ template: id, ...noSecrets });
  await engine.forkd.close();
  expect(engine.vmm.live).toBe(0);
});

test('a pool gives what is prepared, is filled again, and is emptied with its template', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  await engine.forkd.keepReady(id, 3);
  expect(engine.vmm.live).toBe(3);
  await engine.forkd.fork({ template: id, ...noSecrets });
  await engine.forkd.keepReady(id, 3);
  expect(engine.vmm.live).toBe(4);
  await engine.forkd.keepReady(id, 1);
  expect(engine.vmm.live).toBe(2);
  await engine.forkd.removeTemplate(id);
  expect(engine.vmm.live).toBe(1);
  await expect(engine.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(code('no-such-template'));
  expect(ground.left()).toMatchObject({ templates: [], witnesses: [] });
  await engine.forkd.close();
});

test('a VM that cannot be prepared or resumed leaves nothing', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  engine.vmm.failures.push(new CodedError('vmm-failed', 'no', 'no'));
  await expect(engine.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(code('vmm-failed'));
  expect(engine.vmm.live).toBe(0);
  expect(engine.forkd.sandboxes()).toEqual([]);
  await engine.forkd.close();
});

test('a fork of a running sandbox: source and children go on from there, each with a generator of its own', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const source = await engine.forkd.fork({ template: id, ...noSecrets });
  const text = async function* () {
    yield Buffer.from('kept');
  };
  expect(await engine.forkd.writeFile(source.id, '/note', 0o644, text())).toEqual({ ok: true });
  const children = await engine.forkd.forkSandbox(source.id, { replicas: 3, allowSecretInheritance: false });
  expect(children.map(({ parent }) => parent)).toEqual(Array(3).fill(source.id));
  for (const one of [source, ...children]) {
    const read: Buffer[] = [];
    const end = await engine.forkd.readFile(
      one.id,
      '/note',
      100,
      (_stream, octets) => void read.push(octets),
    );
    expect([end.ok, Buffer.concat(read).toString()]).toEqual([true, 'kept']);
  }
  expect(engine.vmm.live).toBe(4);
  // And again, from a child: its agent has seen a generation, and takes a higher one only.
  const grandchildren = await engine.forkd.forkSandbox(children[0]?.id ?? '', {
    replicas: 1,
    allowSecretInheritance: false,
  });
  expect(grandchildren.length).toBe(1);
  // Witnesses of snapshots that nobody forks any more are gone: the template's alone are left.
  expect(ground.left().witnesses.length).toBe(1);
  await engine.forkd.close();
  expect(engine.vmm.live).toBe(0);
  expect(ground.left().journal).toEqual([]);
});

test('a sandbox with secrets is forked only when that is asked for, and its variables go along', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const secrets = [
    { name: 'a', value: 's3cret', envVar: 'TOKEN' },
    { name: 'b', value: 'f1le', path: '/run/secrets/b' },
  ];
  const source = await engine.forkd.fork({ template: id, network: null, secrets });
  expect(JSON.parse((await run(engine, source.id, ['env'])).text)).toEqual({ TOKEN: 's3cret' });
  expect(JSON.stringify(engine.forkd.sandboxes())).not.toContain('s3cret');
  const fork = { replicas: 1, allowSecretInheritance: false };
  await expect(engine.forkd.forkSandbox(source.id, fork)).rejects.toThrow(code('secrets-not-inherited'));
  expect((await run(engine, source.id, ['echo', 'alive'])).text).toBe('alive');
  const [child] = await engine.forkd.forkSandbox(source.id, { replicas: 1, allowSecretInheritance: true });
  expect(child?.holdsSecrets).toBe(true);
  expect((await run(engine, child?.id ?? '', ['env'])).text).toContain('s3cret');
  for (const bad of [{ envVar: 'A', path: '/b' }, {}, { envVar: 'no-name' }, { path: 'relative' }]) {
    const one = [{ name: 'x', value: 'v', ...bad }];
    await expect(engine.forkd.fork({ template: id, network: null, secrets: one })).rejects.toThrow(
      code('bad-secret'),
    );
  }
  await engine.forkd.close();
});

test('no secret and no exec reaches a guest before its release', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  engine.guest.asked.length = 0;
  const secrets = [{ name: 'b', value: 'f1le', path: '/run/secrets/b' }];
  const { id: sandbox } = await engine.forkd.fork({ template: id, network: null, secrets });
  await run(engine, sandbox, ['echo']);
  expect(engine.guest.asked.slice(0, 3)).toEqual(['notify_forked', 'release', 'write']);
  engine.guest.lies.push('boolean');
  engine.guest.asked.length = 0;
  await expect(engine.forkd.fork({ template: id, network: null, secrets })).rejects.toThrow(
    code('fork-refused'),
  );
  expect(engine.guest.asked).toEqual(['notify_forked']);
  await engine.forkd.close();
});

test('a sandbox that cannot be frozen goes on; one whose fork is refused at the gate is lost with its children', async () => {
  using ground = new EngineGround();
  const engine = await ground.start({ activation: { deadlineMs: 200 } });
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const source = await engine.forkd.fork({ template: id, ...noSecrets });
  const fork = { replicas: 2, allowSecretInheritance: false };
  engine.guest.processes.push({ pid: 9, comm: 'sh' });
  await expect(engine.forkd.forkSandbox(source.id, fork)).rejects.toThrow(code('snapshot-refused'));
  engine.guest.processes.length = 0;
  expect((await run(engine, source.id, ['echo', 'alive'])).text).toBe('alive');
  const hanging = engine.forkd.exec(
    source.id,
    { argv: ['hang'], timeout_ms: 5_000, max_output_octets: 1 },
    () => undefined,
  );
  await expect(engine.forkd.forkSandbox(source.id, fork)).rejects.toThrow(code('sandbox-busy'));
  hanging.cancel();
  await hanging.ended;
  // One child lies: no child is handed out, the source goes on.
  engine.guest.lies.push('none', 'boolean');
  await expect(engine.forkd.forkSandbox(source.id, fork)).rejects.toThrow(code('fork-refused'));
  expect(engine.forkd.sandboxes().map((one) => one.id)).toEqual([source.id]);
  expect(engine.vmm.live).toBe(1);
  // The source itself lies: all is reaped.
  engine.guest.lies.push('silent');
  await expect(engine.forkd.forkSandbox(source.id, fork)).rejects.toThrow(code('fork-refused'));
  expect(engine.forkd.sandboxes()).toEqual([]);
  expect(engine.vmm.live).toBe(0);
  await expect(engine.forkd.terminate(source.id)).rejects.toThrow(code('no-such-sandbox'));
  await engine.forkd.close();
});

test('a guest that breaks its window loses its services, never the engine', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const sandbox = await engine.forkd.fork({ template: id, ...noSecrets });
  const never = () => new Promise<void>(() => undefined);
  const order = { argv: ['flood'], timeout_ms: 5_000, max_output_octets: 1 << 30 };
  await expect(engine.forkd.exec(sandbox.id, order, never).ended).rejects.toThrow(
    code('guest-channel-ended'),
  );
  await engine.forkd.terminate(sandbox.id);
  expect(engine.vmm.live).toBe(0);
  await engine.forkd.close();
  expect(() => engine.forkd.buildTemplate(ground.spec())).toThrow(code('engine-closed'));
});

test('a template that is removed while it is forked waits for its forks; each is whole, or refused', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  await engine.forkd.keepReady(id, 2);
  const forks = Array.from({ length: 6 }, () => engine.forkd.fork({ template: id, ...noSecrets }));
  const removed = engine.forkd.removeTemplate(id);
  const late = expect(engine.forkd.fork({ template: id, ...noSecrets })).rejects.toThrow(
    code('no-such-template'),
  );
  for (const { id: sandbox } of await Promise.all(forks)) {
    expect((await run(engine, sandbox, ['echo', 'whole'])).text).toBe('whole');
  }
  await Promise.all([removed, late]);
  expect(engine.vmm.live).toBe(6);
  expect(ground.left().templates).toEqual([]);
  await engine.forkd.close();
  expect(ground.left().journal).toEqual([]);
});

test('a snapshot that the disk has no room for is refused before anything of it is written', async () => {
  using ground = new EngineGround();
  const { journal } = await Journal.open(`${ground.folder}/journal`);
  const templates = new TemplateFolder(`${ground.folder}/templates`, new FakeVmm(() => undefined), journal);
  await templates.open();
  const manifest = { memory: { octets: 2 ** 60 }, deviceState: { octets: 1 } };
  const snapshot = { manifest } as LoadedSnapshot;
  const template = {
    id: 'a',
    snapshot: 'b',
    memoryMiB: 1,
    createdMs: 0,
    buildMs: 0,
    readsGenerator: true,
    volumes: [],
  };
  const full = expect.objectContaining({ code: 'disk-full' });
  await expect(templates.store(template, snapshot)).rejects.toThrow(full);
  expect([await templates.open(), journal.size]).toEqual([[], 0]);
  await journal.close();
});

test('a sandbox that is ended while it is forked ends, and so do those that were to come of it', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  for (let turns = 0; turns < 12; turns++) {
    const source = await engine.forkd.fork({ template: id, ...noSecrets });
    const forking = engine.forkd.forkSandbox(source.id, { replicas: 2, allowSecretInheritance: false });
    const over = forking.then(
      (children) => Promise.all(children.map((child) => engine.forkd.terminate(child.id))),
      () => undefined,
    );
    for (let each = 0; each < turns * 2; each++) await new Promise((resolve) => setImmediate(resolve));
    await engine.forkd.terminate(source.id);
    await over;
    expect(engine.vmm.live, `after ${turns} turns`).toBe(0);
  }
  await engine.forkd.close();
  expect(ground.left().journal).toEqual([]);
});

test('an engine that is closed amid forks has ended all of them, and its journal is empty', async () => {
  for (let turns = 0; turns < 8; turns++) {
    using ground = new EngineGround();
    const engine = await ground.start();
    const { id } = await engine.forkd.buildTemplate(ground.spec());
    const forks = [
      engine.forkd.keepReady(id, 2),
      ...Array.from({ length: 4 }, () => engine.forkd.fork({ template: id, ...noSecrets })),
    ].map((one) => one.catch(() => undefined));
    for (let each = 0; each < turns * 3; each++) await new Promise((resolve) => setImmediate(resolve));
    await engine.forkd.close();
    await Promise.all(forks);
    expect([engine.vmm.live, ground.left().journal], `after ${turns} turns`).toEqual([0, []]);
  }
});

test('a secret that cannot be written ends its sandbox, and is not in the error', async () => {
  using ground = new EngineGround();
  const engine = await ground.start({ maxTemplates: 1 });
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const secrets = [{ name: 'a', value: 's3cret', path: '/readonly/a' }];
  const failed = await engine.forkd
    .fork({ template: id, network: null, secrets })
    .catch((error: unknown) => error);
  expect(failed).toEqual(code('secret-not-delivered'));
  expect(String(failed)).not.toContain('s3cret');
  expect(engine.vmm.live).toBe(0);
  const another = engine.forkd.buildTemplate(ground.spec({ commandLine: 'another' }));
  await expect(another).rejects.toThrow(code('too-many-templates'));
  await engine.forkd.close();
});

test('a process that does not end keeps its journal entry, and the engine from starting', async () => {
  using ground = new EngineGround();
  const { journal } = await Journal.open(`${ground.folder}/journal`);
  const made = { kind: 'vm', process: { pid: 1, started: '1' } } as const;
  await journal.begin('vm-1', made);
  const immortal = () => Promise.resolve(false);
  await expect(takeAway(journal, 'vm-1', made, immortal)).rejects.toThrow(code('left-behind'));
  expect(journal.size).toBe(1);
  await journal.close();
});

test('a process that a killed engine left is ended at the next start', async () => {
  using ground = new EngineGround();
  const left = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const gone = new Promise((resolve) => left.once('exit', (_code, signal) => resolve(signal)));
  mkdirSync(ground.state, { recursive: true });
  const mark = markOf(left.pid ?? 0);
  const another = { ...mark, started: '1' };
  const lines = [
    { begin: 'vm-1', made: { kind: 'vm', process: mark } },
    // A pid that is somebody else's by now: this very process.
    { begin: 'vm-2', made: { kind: 'vm', process: { ...another, pid: process.pid } } },
  ];
  writeFileSync(`${ground.state}/journal`, lines.map(checkedLine).join(''));
  const engine = await ground.start();
  expect(await gone).toBe('SIGKILL');
  await engine.forkd.close();
  writeFileSync(`${ground.state}/journal`, `${checkedLine(lines[0] ?? {})}garbage\n`);
  await expect(ground.start()).rejects.toThrow(code('journal-failed'));
});
