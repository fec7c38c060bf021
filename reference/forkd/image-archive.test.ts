/** Image archives: layers one over the other, whiteouts, and names that would leave the root. */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveEntries } from './image-archive.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/huskproof-image-`);
});
afterEach(() => rmSync(folder, { recursive: true }));

type Member = Partial<Header> & { readonly name: string; readonly text?: string };
const limits = { octets: 10_000, entries: 100 };
const file = (name: string, text = name): Member => ({ name, text });
const bad = expect.objectContaining({ code: 'bad-rootfs' });

async function tar(members: readonly Member[]): Promise<Buffer> {
  const packing = pack();
  for (const { text, ...headers } of members) packing.entry(headers, text ?? '');
  packing.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packing) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** @param manifest in place of the one that names the layers in order */
async function image(layers: readonly (readonly Member[])[], manifest?: string): Promise<string> {
  const path = `${folder}/image.tar`;
  const packing = pack();
  const names = layers.map((_, index) => `${index}/layer.tar`);
  // As docker does: the manifest comes last, and layers in any order.
  for (const [index, members] of [...layers.entries()].reverse()) {
    const octets = await tar(members);
    packing.entry({ name: names[index] ?? '' }, index === 0 ? gzipSync(octets) : octets);
  }
  packing.entry({ name: 'manifest.json' }, manifest ?? JSON.stringify([{ Layers: names }]));
  packing.finalize();
  await pipeline(packing, createWriteStream(path));
  return path;
}

const listed = async (layers: readonly (readonly Member[])[]) =>
  (await archiveEntries(await image(layers), limits))
    .map(
      (entry) => `${entry.kind} ${entry.name}${entry.kind === 'file' ? ` ${Buffer.from(entry.data)}` : ''}`,
    )
    .toSorted();

test('a higher layer replaces, adds and hides', async () => {
  const lower = [file('etc/a', 'old'), file('etc/b'), file('opt/x/1'), file('opt/x/2'), file('bin')];
  const upper = [
    ...[file('./etc/a', 'new'), file('etc/.wh.b', ''), file('opt/x/3'), file('opt/x/.wh..wh..opq', '')],
    ...[
      { name: 'bin', type: 'symlink', linkname: 'usr/bin' } as const,
      { name: 'hard', type: 'link', linkname: 'etc/a' } as const,
    ],
  ];
  expect(await listed([lower, upper])).toEqual([
    ...['file etc/a new', 'file hard new', 'file opt/x/3 opt/x/3'],
    ...['folder etc', 'folder opt', 'folder opt/x', 'link bin'],
  ]);
});

test('a file in place of a folder takes all that was below it away', async () => {
  expect(await listed([[file('a/b/c')], [file('a', 'now a file')]])).toEqual(['file a now a file']);
});

test('what the guest mounts itself is left out, device nodes there included', async () => {
  const node = { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 } as const;
  expect(await listed([[node, file('proc/x'), file('kept')]])).toEqual(['file kept kept']);
});

test.each<[string, Member[]]>([
  ['an absolute name', [file('/etc/passwd')]],
  ['a name that leaves the root', [file('a/../../etc/passwd')]],
  ['a device', [{ name: 'opt/disk', type: 'block-device', devmajor: 8, devminor: 0 }]],
  ['a hard link to nothing', [{ name: 'a', type: 'link', linkname: '../b' }]],
  ['a file below a link', [{ name: 'a', type: 'symlink', linkname: '/etc' }, file('a/passwd')]],
  ['too many octets', [file('a', 'x'.repeat(20_000))]],
  ['too many entries', Array.from({ length: 101 }, (_, index) => file(`f${index}`))],
])('%s is refused', async (_what, members) => {
  await expect(archiveEntries(await image([members]), limits)).rejects.toThrow(bad);
});

test.each([
  ['no JSON', 'no'],
  ['several images', '[{"Layers":[]},{"Layers":[]}]'],
  ['no layers', '[{}]'],
  ['a layer that is not there', '[{"Layers":["other"]}]'],
])('a manifest of %s is refused', async (_what, manifest) => {
  await expect(archiveEntries(await image([[file('a')]], manifest), limits)).rejects.toThrow(bad);
});

test('an archive that is none, or is cut off, is refused', async () => {
  const path = await image([[file('a')]]);
  const { readFileSync, writeFileSync } = await import('node:fs');
  const octets = readFileSync(path);
  writeFileSync(path, octets.subarray(0, 700));
  await expect(archiveEntries(path, limits)).rejects.toThrow(bad);
  writeFileSync(path, Buffer.alloc(2_048, 7));
  await expect(archiveEntries(path, limits)).rejects.toThrow(bad);
});
