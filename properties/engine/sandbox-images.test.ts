/** Volumes and bounds of programs over HTTP: only images of the operator's folder, whatever a client or a link says. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openImage, VolumeFolder } from '#reference/sandbox-server/volume-folder.ts';
import { EngineGround, imageOf, volumeOctets, volumeSlots } from './engine-ground.ts';
import { refusal, serve } from './served-ground.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/huskproof-volumes-`);
  writeFileSync(`${folder}/data.ext4`, imageOf('for all'));
  writeFileSync(`${folder}/work.ext4`, imageOf('as it was'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const asked = (shared: string, own = 'work.ext4') => [
  { serial: 'shared', image: shared },
  { serial: 'own', image: own },
];
const bad = (message: RegExp) =>
  expect.objectContaining({
    ...{ code: 'server-refused', status: 400, told: 'bad-volume' },
    message: expect.stringMatching(message),
  });

test('a client sees the images, declares volumes by their length, and its sandboxes have their own', async () => {
  using ground = new EngineGround();
  const { client, close } = await serve(ground, {}, folder);
  expect(await client.images()).toEqual([
    { name: 'data.ext4', octets: volumeOctets },
    { name: 'work.ext4', octets: volumeOctets },
  ]);
  const template = await client.buildTemplate({ volumes: [...volumeSlots] });
  expect(template.volumes).toEqual(volumeSlots);
  const forks = await Promise.all(
    [0, 1].map(() => client.fork({ template: template.id, volumes: asked('data.ext4') })),
  );
  const said = async (id: string, ...argv: string[]) => (await client.run(id, { argv })).stdout.toString();
  for (const [index, { id }] of forks.entries()) await said(id, 'disk-write', 'own', `of-${index}`);
  for (const [index, { id, volumes }] of forks.entries()) {
    expect([await said(id, 'disk-read', 'own'), await said(id, 'disk-read', 'shared'), volumes]).toEqual([
      `of-${index}`,
      'for all',
      ['shared', 'own'],
    ]);
  }
  await expect(client.forkSandbox(forks[0]?.id ?? '', { replicas: 1 })).rejects.toThrow(
    refusal(409, 'volume-not-inherited'),
  );
  await expect(client.keepReady(template.id, 1)).rejects.toThrow(refusal(400, 'bad-volume'));
  await close();
});

test('what is no image in the folder is never opened: links, fifos, folders, sockets, paths, hidden ones', async () => {
  using ground = new EngineGround();
  const { client, url, token, close, vmm } = await serve(ground, {}, folder);
  const { id: template } = await client.buildTemplate({ volumes: [...volumeSlots] });
  const outside = `${ground.folder}/outside`;
  writeFileSync(outside, imageOf('outside'));
  symlinkSync(outside, `${folder}/link`);
  symlinkSync('data.ext4', `${folder}/inside-link`);
  symlinkSync('/dev/zero', `${folder}/device-link`);
  mkdirSync(`${folder}/folder`);
  execFileSync('mkfifo', [`${folder}/fifo`]);
  writeFileSync(`${folder}/.hidden`, imageOf('hidden'));
  writeFileSync(`${folder}/odd`, 'x'.repeat(513));
  writeFileSync(`${folder}/empty`, '');
  const socket = createServer().listen(`${folder}/socket`);
  const known = await client.images();
  expect(known.map(({ name }) => name)).toEqual(['data.ext4', 'work.ext4']);
  for (const [image, message] of [
    ['link', /link is no image for a volume: it is a symbolic link/],
    ['inside-link', /it is a symbolic link/],
    ['device-link', /it is a symbolic link/],
    ['folder', /it is a folder/],
    ['fifo', /it is a fifo/],
    ['socket', /it is a socket/],
    ['odd', /it has 513 octets/],
    ['empty', /it has 0 octets/],
    ['none', /there is none of that name/],
  ] as const) {
    await expect(client.fork({ template, volumes: asked(image) })).rejects.toThrow(bad(message));
  }
  for (const image of [
    '../outside',
    '/etc/passwd',
    '.hidden',
    '..',
    '.',
    '',
    'a/b',
    'a\0b',
    'x'.repeat(129),
  ]) {
    const response = await fetch(`${url}/v1/sandboxes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ template, volumes: asked(image) }),
    });
    expect([response.status, (await response.json()) as object], image).toEqual([
      400,
      expect.objectContaining({ message: expect.stringContaining('body/volumes/0/image') }),
    ]);
  }
  expect(vmm.live).toBe(0);
  socket.close();
  await close();
});

test('a device node is looked at and never opened; a name that none can have is refused without a client’s check', () => {
  expect(() => openImage('/dev/zero', 'zero')).toThrow(
    expect.objectContaining({ code: 'bad-volume', message: expect.stringMatching(/it is a device node/) }),
  );
  const images = VolumeFolder.open(folder);
  for (const name of ['../x', '/etc/passwd', '', '.hidden']) {
    expect(() => images.open(name), name).toThrow(expect.objectContaining({ code: 'bad-volume' }));
  }
  images.close();
});

test('the folder stays the one that was named; it is nobody else’s to write to', async () => {
  using ground = new EngineGround();
  const { client, close } = await serve(ground, {}, folder);
  const { id: template } = await client.buildTemplate({ volumes: [...volumeSlots] });
  execFileSync('mv', [folder, `${folder}-moved`]);
  mkdirSync(folder);
  writeFileSync(`${folder}/data.ext4`, imageOf('another'));
  const { id } = await client.fork({ template, volumes: asked('data.ext4') });
  expect((await client.run(id, { argv: ['disk-read', 'shared'] })).stdout.toString()).toBe('for all');
  await close();
  rmSync(`${folder}-moved`, { recursive: true });
  chmodSync(folder, 0o777);
  for (const [path, message] of [
    [folder, /everybody can write to it/],
    [`${folder}/data.ext4`, /cannot be opened as a folder \(ENOTDIR\)/],
    [`${folder}/none`, /cannot be opened as a folder \(ENOENT\)/],
  ] as const) {
    expect(() => VolumeFolder.open(path)).toThrow(
      expect.objectContaining({ code: 'bad-folder', message: expect.stringMatching(message) }),
    );
  }
});

test('a server without a folder gives no volumes, and says which flag it lacks', async () => {
  using ground = new EngineGround();
  const { client, close } = await serve(ground);
  await expect(client.images()).rejects.toThrow(bad(/no folder of images/));
  const { id: template } = await client.buildTemplate({ volumes: [...volumeSlots] });
  await expect(client.fork({ template, volumes: asked('data.ext4') })).rejects.toThrow(
    bad(/no folder of images/),
  );
  await close();
});

test('the bounds of a program reach the guest as they were asked for, and none that no guest can hold is taken', async () => {
  using ground = new EngineGround();
  const { client, close, guest } = await serve(ground);
  const { id } = await client.fork({ template: (await client.buildTemplate()).id });
  await client.run(id, { argv: ['echo'], maxProcesses: 7, maxMemoryOctets: 16 << 20 });
  expect(guest.executed).toMatchObject({ max_processes: 7, max_memory_octets: 16 << 20 });
  await client.run(id, { argv: ['echo'] });
  expect(Object.keys(guest.executed ?? {})).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^max_(processes|memory)/)]),
  );
  for (const more of [
    { maxProcesses: 0 },
    { maxProcesses: 1.5 },
    { maxProcesses: 2 ** 23 },
    { maxMemoryOctets: 1_000 },
    { maxMemoryOctets: -1 },
    { maxMemoryOctets: 2 ** 53 },
  ]) {
    const [field] = Object.keys(more);
    await expect(client.run(id, { argv: ['echo'], ...more })).rejects.toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(`body/${field}`) }),
    );
  }
  await close();
});
