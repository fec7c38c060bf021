/** `lab clean` on containers: what a killed run left goes, what runs and what is another's stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { labFolders } from '#kvm-lab/leftovers/lab-folder.ts';
import { leftovers, removeLeftover } from '#kvm-lab/leftovers/leftovers.ts';
import { ownerMark } from '#kvm-lab/leftovers/owner.ts';
import { docker } from '#kvm-lab/providers/container/docker-engine.ts';
import { huskImage, ownerLabel } from '#kvm-lab/providers/container/husk-image.ts';
import { expect, test } from '../../fixtures/husk-network.ts';
import { choice } from '../../fixtures/lab-choice.ts';
import { kill, leftOf, removeLeft, startHolder } from '../../fixtures/pod-holder.ts';

const goneMs = 20_000;

function start(label: string): string {
  const words = ['--detach', '--network=none', '--label', label, '--entrypoint=sleep'];
  return docker(['run', ...words, choice.image ?? huskImage(), '600']);
}

const isThere = (id: string) => docker(['ps', '--all', '--quiet', '--no-trunc']).split('\n').includes(id);
const foldersOf = (mark: string) =>
  labFolders().flatMap(({ path }) => (path.includes(`-${mark}-`) ? [path] : []));
const containersOf = (mark: string) =>
  docker(['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${ownerLabel}=${mark}`])
    .split('\n')
    .filter((id) => id !== '');

test('after kill -9 of the harness its containers end by themselves, and lab clean finds the folders', async ({
  seed: _,
}) => {
  const holder = await startHolder();
  const { mark } = holder;
  expect(containersOf(mark).length).toBeGreaterThan(0);
  expect(foldersOf(mark).length).toBeGreaterThan(0);
  // While it runs nothing of it is left.
  const running = leftovers({ images: false }).found.map(({ name }) => name);
  for (const name of [...containersOf(mark), ...foldersOf(mark)]) expect(running).not.toContain(name);
  await kill(holder);
  await expect.poll(() => containersOf(mark), { timeout: goneMs }).toEqual([]);
  expect(leftOf(holder).map(({ kind }) => kind)).toContain('folder');
  await removeLeft(holder);
  expect(foldersOf(mark)).toEqual([]);
});

test('lab clean removes containers whose process is gone, and no other', async ({ seed: _ }) => {
  const gone = spawn('true');
  const goneMark = ownerMark(gone.pid);
  await once(gone, 'exit');
  const [left, living, strange, others] = [
    start(`${ownerLabel}=${goneMark}`),
    start(`${ownerLabel}=${ownerMark()}`),
    start(`${ownerLabel}=not-a-mark`),
    start('somebody=else'),
  ];
  const theirs = [living, strange, others];
  try {
    const found = leftovers({ images: false }).found.filter(({ kind }) => kind === 'container');
    const names = found.map(({ name }) => name);
    expect(names).toContain(left);
    for (const id of theirs) expect(names).not.toContain(id);
    for (const one of found.filter(({ name }) => name === left)) await removeLeftover(one);
    expect(isThere(left)).toBe(false);
    for (const id of theirs) expect(isThere(id)).toBe(true);
  } finally {
    for (const id of [left, ...theirs].filter(isThere)) docker(['rm', '--force', id]);
  }
});

test('lab clean --images names the images that the lab built, never one that somebody named', async ({
  seed: _,
}) => {
  const own = `somebodys-own:${process.pid}`;
  docker(['tag', huskImage(), own]);
  try {
    const images = leftovers({ images: true }).found.filter(({ kind }) => kind === 'image');
    const names = images.map(({ name }) => name);
    expect(names).toContain(huskImage());
    expect(names).not.toContain(own);
    expect(leftovers({ images: false }).found.filter(({ kind }) => kind === 'image')).toEqual([]);
  } finally {
    docker(['rmi', own]);
  }
});

test('an image that lacks what a datapath needs is named with what it lacks', async ({ seed: _ }) => {
  const { imageUnsupported } = await import('#kvm-lab/providers/container/husk-image.ts');
  expect(imageUnsupported('huskproof-none:0')?.reason).toBe('there is no image huskproof-none:0');
  const name = `huskproof-lacking:${process.pid}`;
  const id = docker([
    'create',
    '--entrypoint=sh',
    choice.image ?? huskImage(),
    '-c',
    'rm /usr/local/bin/node',
  ]);
  try {
    docker(['start', '--attach', id]);
    docker(['commit', id, name]);
    expect(imageUnsupported(name)?.reason).toBe(`${name} lacks Node 24 as node on its PATH`);
  } finally {
    docker(['rm', '--force', id]);
    docker(['rmi', name]);
  }
});
