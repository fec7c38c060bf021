/** Volumes of sandboxes, on the fake VMM: given by the serial, counted, inherited where that is safe, and gone. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TemplateVolume } from '#reference/contract/fork-engine-port.ts';
import type { Volume } from '#reference/contract/vmm-port.ts';
import { SandboxVolumes } from '#reference/forkd/sandbox-volumes.ts';
import { StateQuota } from '#reference/forkd/state-quota.ts';
import { overlayOctets } from '#reference/vmm/volumes/overlay.ts';
import {
  type Engine,
  EngineGround,
  imageOf,
  noSecrets,
  run,
  volumeOctets,
  volumeSlots,
} from './engine-ground.ts';

const code = (name: string, message = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) });
const [shared, own] = volumeSlots as [TemplateVolume, TemplateVolume];

let images: string;
let fds: number[];
beforeEach(() => {
  images = mkdtempSync(`${tmpdir()}/huskproof-images-`);
  fds = [];
});
afterEach(() => {
  for (const fd of fds) closeSync(fd);
  rmSync(images, { recursive: true });
});

function image(line: string, octets = volumeOctets): number {
  const path = `${images}/${fds.length}`;
  writeFileSync(path, imageOf(line, octets));
  const fd = openSync(path, 'r');
  fds.push(fd);
  return fd;
}

/** Descriptors of this process that lead to the images, beside those of the test. */
const heldOpen = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return !fds.includes(Number(fd)) && readlinkSync(`/proc/self/fd/${fd}`).startsWith(images);
    } catch {
      // The one that the folder itself was read by.
      return false;
    }
  });

const given = (): readonly Volume[] => [
  { serial: 'shared', fd: image('for all') },
  { serial: 'own', fd: image('as it was') },
];

async function withTemplate(ground: EngineGround, volumes: readonly TemplateVolume[] = volumeSlots) {
  const engine = await ground.start();
  const { id } = await engine.forkd.buildTemplate(ground.spec({ volumes }));
  return { engine, template: id };
}

const read = async (engine: Engine, id: string, serial: string) =>
  (await run(engine, id, ['disk-read', serial])).text;

test('each fork is told what is mounted where; what one writes to a private volume another never sees', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground);
  const volumes = given();
  const one = await engine.forkd.fork({ template, ...noSecrets, volumes });
  const other = await engine.forkd.fork({ template, ...noSecrets, volumes });
  expect(one.volumes).toEqual(['shared', 'own']);
  expect(JSON.parse((await run(engine, one.id, ['mounts'])).text)).toEqual([
    { serial: 'shared', path: '/data', readonly: true },
    { serial: 'own', path: '/work', readonly: false },
  ]);
  expect((await run(engine, one.id, ['disk-write', 'own', 'mine'])).end.exit_code).toBe(0);
  expect((await run(engine, one.id, ['disk-write', 'shared', 'mine'])).end.exit_code).toBe(1);
  expect([await read(engine, one.id, 'own'), await read(engine, other.id, 'own')]).toEqual([
    'mine',
    'as it was',
  ]);
  expect(await read(engine, other.id, 'shared')).toBe('for all');
  // The caller's may be closed: each sandbox has its own.
  expect(heldOpen()).toHaveLength(4);
  await engine.forkd.terminate(one.id);
  expect(heldOpen()).toHaveLength(2);
  await engine.forkd.close();
  expect([heldOpen(), engine.vmm.live]).toEqual([[], 0]);
});

test('a fork is refused by the serial for a volume that is missing, unknown, twice, of another length or empty', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground);
  const [first, second] = given() as [Volume, Volume];
  const folder = openSync(images, 'r');
  fds.push(folder);
  for (const [volumes, refusal] of [
    [[], code('bad-volume', /declares shared, and none is given/)],
    [[first], code('bad-volume', /declares own, and none is given/)],
    [[first, second, { ...second, serial: 'other' }], code('bad-volume', /declares none of its serial/)],
    [[first, second, second], code('bad-volume', /own is given twice/)],
    [[first, { ...second, fd: image('long', 8_192) }], code('bad-volume', /own is not 4096 octets long/)],
    [[first, { ...second, fd: folder }], code('bad-volume', /own is no regular file/)],
    [[first, { ...second, fd: 1 << 20 }], code('bad-volume', /cannot be opened/)],
    [
      [first, { ...second, fd: image('') }],
      code('volume-not-mounted', /could not mount a volume: volume-empty/),
    ],
  ] as const) {
    await expect(engine.forkd.fork({ template, ...noSecrets, volumes })).rejects.toThrow(refusal);
    expect([heldOpen(), engine.vmm.live, ground.left().journal]).toEqual([[], 0, []]);
  }
  const plain = await engine.forkd.buildTemplate(ground.spec());
  await expect(engine.forkd.fork({ template: plain.id, ...noSecrets, volumes: [first] })).rejects.toThrow(
    code('bad-volume'),
  );
  await engine.forkd.close();
});

test('a template is refused for a path that is the guest’s own, no path, or another volume’s; nothing is booted', async () => {
  using ground = new EngineGround();
  const engine = await ground.start();
  for (const [volumes, message] of [
    [[{ ...own, path: '/etc' }], /path of own would be mounted over, in or above \/etc/],
    [[{ ...own, path: '/proc/sys' }], /\/proc/],
    [[{ ...own, path: '/run' }], /\/run\/sandbox/],
    [[{ ...own, path: '/' }], /no absolute path/],
    [[{ ...own, path: '/data/../etc' }], /no absolute path/],
    [[{ ...own, path: '/data//x' }], /no absolute path/],
    [[{ ...own, path: 'data' }], /no absolute path/],
    [[{ ...own, path: '/a\0b' }], /no absolute path/],
    [[{ ...own, path: `/${'x'.repeat(4_095)}` }], /longer than/],
    [[shared, { ...own, path: '/data' }], /mounted on one path/],
  ] as const) {
    await expect(engine.forkd.buildTemplate(ground.spec({ volumes }))).rejects.toThrow(
      code('bad-volume', message),
    );
  }
  for (const volumes of [
    [{ ...own, octets: 513 }],
    [{ ...own, octets: 65 * 2 ** 30 }],
    [{ ...own, serial: 'a,b=c' }],
    [shared, { ...own, serial: 'shared' }],
    Array.from({ length: 9 }, (_, index) => ({ ...own, serial: `own${index}`, path: `/own/${index}` })),
  ]) {
    await expect(engine.forkd.buildTemplate(ground.spec({ volumes }))).rejects.toThrow(code('bad-machine'));
  }
  expect([engine.guest.boots, engine.vmm.live]).toEqual([0, 0]);
  // What a volume is and where it is mounted is part of what a template is.
  const built = [[], [own], [{ ...own, path: '/other' }], [{ ...own, access: 'readonly' as const }]].map(
    (volumes) => engine.forkd.buildTemplate(ground.spec({ volumes })),
  );
  expect(new Set((await Promise.all(built)).map(({ id }) => id)).size).toBe(4);
  await engine.forkd.close();
});

test('a template keeps what it declares over a restart, and none of its forks stands ready', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground);
  await expect(engine.forkd.keepReady(template, 1)).rejects.toThrow(code('bad-volume'));
  await engine.forkd.close();
  const next = await ground.start();
  expect(next.forkd.templates()[0]?.volumes).toEqual(volumeSlots);
  const { id } = await next.forkd.fork({ template, ...noSecrets, volumes: given() });
  expect(await read(next, id, 'own')).toBe('as it was');
  await next.forkd.close();
});

test('a live fork inherits read-only volumes, and is refused by the serial of a private one; the source goes on', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground);
  const [first, second] = given() as [Volume, Volume];
  const order = { replicas: 2, allowSecretInheritance: false };
  const writing = await engine.forkd.fork({ template, ...noSecrets, volumes: [first, second] });
  await run(engine, writing.id, ['disk-write', 'own', 'mine']);
  await expect(engine.forkd.forkSandbox(writing.id, order)).rejects.toThrow(
    code('volume-not-inherited', /private volume own/),
  );
  expect(await read(engine, writing.id, 'own')).toBe('mine');

  const reading = await engine.forkd.buildTemplate(ground.spec({ volumes: [shared] }));
  const source = await engine.forkd.fork({ template: reading.id, ...noSecrets, volumes: [first] });
  for (const pauseSource of [false, true]) {
    const children = await engine.forkd.forkSandbox(source.id, { ...order, pauseSource });
    for (const { id } of [source, ...children]) expect(await read(engine, id, 'shared')).toBe('for all');
    expect(children.map(({ volumes }) => volumes)).toEqual([['shared'], ['shared']]);
  }
  // And of a child, when its source has gone.
  const [child] = engine.forkd.sandboxes().filter(({ parent }) => parent === source.id);
  await engine.forkd.terminate(source.id);
  await engine.forkd.forkSandbox(child?.id ?? '', order);

  writeFileSync(`${images}/0`, imageOf('changed'));
  await expect(engine.forkd.forkSandbox(child?.id ?? '', order)).rejects.toThrow(
    code('bad-volume', /shared has been written to/),
  );
  await engine.forkd.close();
  expect([heldOpen(), engine.vmm.live, ground.left().journal]).toEqual([[], 0, []]);
});

test('a sandbox that is ended amid its live fork never has its descriptors used for another file', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground, [shared]);
  for (let turns = 0; turns < 8; turns++) {
    const source = await engine.forkd.fork({ template, ...noSecrets, volumes: given().slice(0, 1) });
    const forking = engine.forkd.forkSandbox(source.id, { replicas: 2, allowSecretInheritance: false });
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const ended = engine.forkd.terminate(source.id);
    const [children] = await Promise.allSettled([forking, ended]);
    if (children.status === 'fulfilled') {
      for (const { id } of children.value) expect(await read(engine, id, 'shared')).toBe('for all');
    }
    for (const { id } of engine.forkd.sandboxes()) await engine.forkd.terminate(id);
    expect([heldOpen(), engine.vmm.live]).toEqual([[], 0]);
  }
  await engine.forkd.close();
});

test('a sandbox that is ended amid its forking has its own images until nobody forks it any more', async () => {
  using ground = new EngineGround();
  const { engine, template } = await withTemplate(ground, [shared]);
  const source = await engine.forkd.fork({ template, ...noSecrets, volumes: given().slice(0, 1) });
  const prepare = engine.vmm.prepare.bind(engine.vmm);
  const lines: string[] = [];
  let ended: Promise<void> | null = null;
  engine.vmm.prepare = async (snapshot, place) => {
    ended ??= engine.forkd.terminate(source.id);
    await new Promise((resolve) => setImmediate(resolve));
    // They have the numbers of whatever was closed meanwhile.
    for (let each = 0; each < 4; each++) image('another file');
    for (const { fd } of place.volumes ?? []) {
      const line = Buffer.alloc(7);
      readSync(fd, line, 0, line.length, 0);
      lines.push(line.toString());
    }
    return prepare(snapshot, place);
  };
  const forking = engine.forkd.forkSandbox(source.id, { replicas: 2, allowSecretInheritance: false });
  await expect(forking).rejects.toThrow(code('no-such-sandbox'));
  await ended;
  expect(lines).toEqual(['for all']);
  expect([heldOpen(), engine.vmm.live]).toEqual([[], 0]);
  await engine.forkd.close();
});

test('what guests may write counts on the disk until they end: one more is refused, and nothing of it is left', async () => {
  const quota = new StateQuota(2 * overlayOctets(volumeOctets));
  const volumes = given();
  const open = (name: string, slots = volumeSlots) =>
    SandboxVolumes.open(name, slots, volumes.slice(0, slots.length), quota);
  const [first, second] = [open('first'), open('second')];
  expect(() => open('third')).toThrow(code('state-full', /templates and private volumes may take/));
  expect(heldOpen()).toHaveLength(4);
  // What is read only takes nothing.
  open('reading', [shared]).close();
  first.close();
  first.close();
  open('third').close();
  second.close();
  expect([quota.octets, heldOpen()]).toEqual([0, []]);
});

test('the quota of an engine holds its private volumes, also when forks fail', async () => {
  using ground = new EngineGround();
  const large = { ...own, octets: 64 << 20 };
  const engine = await ground.start({ maxStateOctets: 96 << 20 });
  const { id: template } = await engine.forkd.buildTemplate(ground.spec({ volumes: [large] }));
  const volumes = [{ serial: 'own', fd: image('as it was', 64 << 20) }];
  const fork = () => engine.forkd.fork({ template, ...noSecrets, volumes });
  for (let turns = 0; turns < 3; turns++) {
    engine.guest.lies.push('boolean');
    await expect(fork()).rejects.toThrow(code('fork-refused'));
  }
  const { id } = await fork();
  await expect(fork()).rejects.toThrow(code('state-full'));
  await engine.forkd.terminate(id);
  await fork();
  await engine.forkd.close();
});
