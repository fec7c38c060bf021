/**
 * The sandbox server over HTTP on real VMs: volumes of the operator's folder, bounds of programs, a full disk, a kill.
 * What a guest writes to a private volume is its own, is bounded, and is gone by whatever end.
 * Needs: mke2fs (e2fsprogs), root (a file system of its own to fill and to count what is left).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { labTemplate } from './lab-engine.ts';
import { endAll, MainProcess } from './main-process.ts';
import { ext4File, imageOctets } from './volume-images.ts';

const patience = { timeout: 600_000 };
const mebi = 1 << 20;
const largeOctets = 512 * mebi;
/** Two templates take about 330 MiB each, and ask for more while they are built. */
const stateOctets = 1_200 * mebi;
/** That are left to guests when the disk is to be full soon. */
const leftOctets = 64 * mebi;

let folder: string;
let served: { readonly server: MainProcess; readonly client: SandboxClient };
let flags: readonly string[];
let template: string;

const state = () => `${folder}/state`;

async function serve() {
  const server = new MainProcess('sandbox-server', flags);
  const { url, tokenFile } = (await server.hear('"url"')) as { url: string; tokenFile: string };
  return { server, client: new SandboxClient(url, readFileSync(tokenFile, 'utf8')) };
}

beforeAll(async () => {
  // The namespace that the runner made has nothing up.
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  folder = makeLabFolder('served');
  for (const name of ['state', 'images']) mkdirSync(`${folder}/${name}`, { mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,size=${stateOctets}`, 'state', state()]);
  ext4File(`${folder}/images`, 'shared', { hello: 'for all' });
  ext4File(`${folder}/images`, 'own', { who: 'nobody' });
  ext4File(`${folder}/images`, 'large', {}, largeOctets);
  symlinkSync('/etc/passwd', `${folder}/images/link`);
  const [{ accelerator }, { kernel, initrd, commandLine }] = [await probeAccelerator(), await labTemplate()];
  flags = [
    ...['--folder', state(), '--accelerator', accelerator, '--network', 'none', '--log-level', 'warn'],
    // Machines under load answer late: that is no fault.
    ...['--boot-seconds', '600', '--gate-seconds', '120', '--port', '0', '--volumes', `${folder}/images`],
    ...['--kernel', kernel.path, '--kernel-sha256', kernel.sha256],
    ...['--initrd', initrd.path, '--initrd-sha256', initrd.sha256, '--command-line', commandLine],
  ];
  served = await serve();
  const { id } = await served.client.buildTemplate({
    volumes: [
      { serial: 'shared', path: '/mnt/shared', octets: imageOctets, access: 'readonly' },
      { serial: 'own', path: '/data/own', octets: imageOctets, access: 'private' },
      { serial: 'large', path: '/data/large', octets: largeOctets, access: 'private' },
    ],
  });
  template = id;
}, patience.timeout);

afterAll(async () => {
  await endAll();
  execFileSync('umount', ['-l', state()]);
  removeLabFolder(folder);
}, patience.timeout);

const images = (shared = 'shared.ext4') => [
  { serial: 'shared', image: shared },
  { serial: 'own', image: 'own.ext4' },
  { serial: 'large', image: 'large.ext4' },
];
const fork = async () => (await served.client.fork({ template, volumes: images() })).id;

async function sh(
  id: string,
  script: string,
  more: { maxProcesses?: number; maxMemoryOctets?: number } = {},
) {
  const argv = ['/bin/sh', '-c', `exec 2>&1; ${script}`];
  const { stdout, end } = await served.client.run(id, { argv, timeoutMs: 120_000, ...more });
  return { said: stdout.toString().trim(), end };
}
const said = async (id: string, script: string) => (await sh(id, script)).said;

const taken = () => {
  const { blocks, bfree, bsize } = statfsSync(state());
  return (blocks - bfree) * bsize;
};
/** Names below the folder of the state, but for those of the server itself. */
const names = () => (readdirSync(state(), { recursive: true }) as string[]).sort();

test(
  'sandboxes have volumes of the folder: private ones are their own, shared ones are written by none',
  patience,
  async () => {
    const ids = [await fork(), await fork()];
    for (const [index, id] of ids.entries()) {
      expect(await said(id, 'cat /data/own/who /mnt/shared/hello')).toBe('nobodyfor all');
      expect(await said(id, `echo ${index} > /data/own/who; sync; echo 3 > /proc/sys/vm/drop_caches`)).toBe(
        '',
      );
      expect(await said(id, 'echo mine > /mnt/shared/hello')).toMatch(/Read-only file system/);
    }
    for (const [index, id] of ids.entries()) {
      expect(await said(id, 'cat /data/own/who /mnt/shared/hello')).toBe(`${index}\nfor all`);
    }
    await expect(served.client.forkSandbox(ids[0] ?? '', { replicas: 1 })).rejects.toMatchObject({
      told: 'volume-not-inherited',
    });
    await expect(served.client.fork({ template, volumes: images('link') })).rejects.toMatchObject({
      ...{ told: 'bad-volume', message: expect.stringContaining('symbolic link') },
    });
    for (const id of ids) await served.client.terminate(id);
  },
);

test('forks of a running sandbox read the volume that it reads', patience, async () => {
  const { id } = await served.client.buildTemplate({
    volumes: [{ serial: 'shared', path: '/mnt/shared', octets: imageOctets, access: 'readonly' }],
  });
  const source = await served.client.fork({
    template: id,
    volumes: [{ serial: 'shared', image: 'shared.ext4' }],
  });
  expect(await said(source.id, 'echo before > /tmp/when; cat /mnt/shared/hello')).toBe('for all');
  const [child] = await served.client.forkSandbox(source.id, { replicas: 1 });
  for (const one of [source.id, child?.id ?? '']) {
    expect(await said(one, 'cat /tmp/when /mnt/shared/hello')).toBe('before\nfor all');
    await served.client.terminate(one);
  }
  await served.client.removeTemplate(id);
});

test('an image without a file system refuses the fork by what the guest says of it', patience, async () => {
  execFileSync('truncate', ['-s', String(imageOctets), `${folder}/images/zeros`]);
  await expect(served.client.fork({ template, volumes: images('zeros') })).rejects.toMatchObject({
    ...{ told: 'volume-not-mounted', message: expect.stringContaining('volume-empty') },
  });
});

test(
  'a fork bomb and a program that takes all memory are held by their bounds; the agent answers',
  patience,
  async () => {
    const id = await fork();
    const bomb = 'b() { b | b & }; b; wait; sleep 1';
    await sh(id, bomb, { maxProcesses: 40 });
    const eight = 'for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait';
    // The control: without the bound all of them start.
    expect(await said(id, eight)).toBe('');
    // The first of them come while the agent is about to leave the cgroup.
    for (let tries = 0; tries < 5; tries++) {
      const held = await sh(id, eight, { maxProcesses: 4 });
      if (held.end.signal !== 'SIGKILL') expect(held.said).toMatch(/fork/i);
    }
    const hungry = 'head -c 64m /dev/zero | tail -c 64m | wc -c';
    expect(await said(id, hungry)).toBe(String(64 * mebi));
    expect((await sh(id, hungry, { maxMemoryOctets: 16 * mebi })).end).toMatchObject({ signal: 'SIGKILL' });
    expect(await said(id, 'echo still')).toBe('still');
    await served.client.terminate(id);
  },
);

test(
  'a guest that fills the disk of the host is told so, lives on, and gives it all back when it ends',
  patience,
  async () => {
    const id = await fork();
    execFileSync('fallocate', ['-l', String(stateOctets - taken() - leftOctets), `${state()}/ballast`]);
    const [before, standing] = [taken(), names()];
    const { end } = await sh(id, 'dd if=/dev/zero of=/data/large/fill bs=1M count=256 conv=fsync');
    expect(end.exit_code).not.toBe(0);
    // As good as all of it.
    expect(stateOctets - taken()).toBeLessThan(4 * mebi);
    expect(await said(id, 'cat /mnt/shared/hello; echo still')).toBe('for allstill');
    // What guests write has no name.
    expect(names()).toEqual(standing);
    await served.client.terminate(id);
    await expect.poll(taken, { timeout: 30_000 }).toBeLessThan(before + mebi);
    rmSync(`${state()}/ballast`);
  },
);

test(
  'a server that is killed while a guest writes leaves no file and no octet; the next one goes on',
  patience,
  async () => {
    const before = taken();
    const id = await fork();
    const writing = sh(
      id,
      'dd if=/dev/zero of=/data/large/fill bs=1M count=64 conv=fsync && echo done && sleep 600',
    );
    const cut = expect(writing).rejects.toThrow();
    await expect.poll(() => taken() - before, { timeout: 300_000 }).toBeGreaterThan(32 * mebi);
    const killed = await served.server.end('SIGKILL');
    await cut;
    expect(killed.below.length).toBeGreaterThan(0);
    await expect.poll(killed.left, { timeout: 30_000 }).toEqual([]);
    await expect.poll(() => taken() - before, { timeout: 30_000 }).toBeLessThan(mebi);
    served = await serve();
    expect(await said(await fork(), 'cat /data/own/who; ls /data/large')).toBe('nobodylost+found');
    expect((await served.server.end('SIGTERM')).code).toBe(0);
    expect(taken() - before).toBeLessThan(mebi);
  },
);
