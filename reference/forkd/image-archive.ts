/**
 * The files of an image archive, as `docker save` and `podman save` write it: its layers, one over the other.
 * Invariant: nothing is written anywhere: names, counts and octets are judged as they come, and what leaves the root is
 * refused. Owners are the guest's root; what is in /dev, /proc and /sys is the guest's own.
 */
import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { CodedError } from '#reference/base/coded-error.ts';
import type { ArchiveEntry } from '#reference/base/newc-archive.ts';

export interface ArchiveLimits {
  readonly octets: number;
  readonly entries: number;
}

const maxManifestOctets = 1 << 20;
const maxLayers = 128;
const ownFolders = ['dev', 'proc', 'sys', 'run'];
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

type Taken = (headers: Header, octets: AsyncIterable<Buffer>) => Promise<void>;

function refused(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'bad-rootfs',
    `rootfs: ${what}`,
    'give an archive that docker save or podman save has written',
    {
      cause,
    },
  );
}

/** Each file of the archive that is wanted; the others are passed over. */
async function eachFile(
  archive: AsyncIterable<Buffer>,
  wanted: (headers: Header) => boolean,
  take: Taken,
): Promise<void> {
  const reading = extract();
  const feeding = pipeline(archive, reading);
  try {
    for await (const entry of reading) {
      if (wanted(entry.header)) await take(entry.header, entry as AsyncIterable<Buffer>);
      else entry.resume();
    }
    await feeding;
  } catch (cause) {
    reading.destroy();
    await feeding.catch(() => undefined);
    throw cause instanceof CodedError ? cause : refused('the archive cannot be read', cause);
  }
}

async function whole(octets: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of octets) {
    length += chunk.length;
    if (length > most) throw refused(`more than ${most} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Names of the layers, the lowest first. */
async function layersOf(path: string): Promise<readonly string[]> {
  let text: string | null = null;
  await eachFile(
    createReadStream(path),
    ({ name }) => name === 'manifest.json',
    async (_headers, octets) => {
      text = (await whole(octets, maxManifestOctets)).toString();
    },
  );
  if (text === null) throw refused('the archive has no manifest.json');
  let images: unknown;
  try {
    images = JSON.parse(text);
  } catch (cause) {
    throw refused('its manifest.json is no JSON', cause);
  }
  const [image, other] = Array.isArray(images) ? (images as { Layers?: unknown }[]) : [];
  if (other !== undefined) throw refused('the archive holds several images');
  const layers = image?.Layers;
  if (
    !Array.isArray(layers) ||
    !layers.every((layer) => typeof layer === 'string') ||
    layers.length > maxLayers
  ) {
    throw refused('its manifest.json names no layers, or too many');
  }
  return layers;
}

/** As the image has them when it is run. @throws CodedError `bad-rootfs` */
export async function archiveEntries(path: string, limits: ArchiveLimits): Promise<ArchiveEntry[]> {
  const root = new LayeredRoot(limits);
  for (const layer of await layersOf(path)) {
    let isThere = false;
    await eachFile(
      createReadStream(path),
      ({ name }) => name === layer,
      async (_headers, octets) => {
        isThere = true;
        root.beginLayer();
        await eachFile(
          unpacked(octets),
          () => true,
          (headers, content) => root.put(headers, content),
        );
      },
    );
    if (!isThere) throw refused(`the archive has no ${layer}`);
  }
  return root.entries();
}

/** Layers are compressed or not; the first octets tell. */
async function* unpacked(octets: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = octets[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  const all = (async function* () {
    yield first.value;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  })();
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* all;
    return;
  }
  const gunzip = createGunzip();
  const feeding = pipeline(all, gunzip);
  feeding.catch(() => undefined);
  yield* gunzip as AsyncIterable<Buffer>;
  await feeding;
}

class LayeredRoot {
  readonly #limits: ArchiveLimits;
  readonly #entries = new Map<string, ArchiveEntry>();
  /** What this layer has put: an opaque folder hides what lower ones have. */
  #ofLayer = new Set<string>();
  #octets = 0;
  #count = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  beginLayer(): void {
    this.#ofLayer = new Set();
  }

  entries(): ArchiveEntry[] {
    return [...this.#entries.values()];
  }

  async put(headers: Header, octets: AsyncIterable<Buffer>): Promise<void> {
    this.#count += 1;
    if (this.#count > this.#limits.entries) throw refused(`more than ${this.#limits.entries} entries`);
    const name = nameOf(headers.name);
    const data = await whole(octets, this.#limits.octets - this.#octets);
    this.#octets += data.length;
    if (name === '' || ownFolders.includes(name.split('/')[0] ?? '')) return;
    const [folder, base] = [posix.dirname(name), posix.basename(name)];
    if (base === opaque) this.#removeBelow(folder, (each) => !this.#ofLayer.has(each));
    else if (base.startsWith(whiteout)) this.#remove(posix.join(folder, base.slice(whiteout.length)));
    else this.#set(name, headers, data);
  }

  #set(name: string, { type, mode, linkname }: Header, data: Buffer): void {
    const permissions = (mode ?? 0o644) & 0o7777;
    switch (type) {
      case 'directory':
        if (this.#entries.get(name)?.kind !== 'folder') this.#remove(name);
        this.#keep({ kind: 'folder', name, mode: permissions });
        return;
      case 'symlink':
        this.#remove(name);
        this.#keep({ kind: 'link', name, target: linkname ?? '' });
        return;
      case 'link': {
        const target = this.#entries.get(nameOf(linkname ?? ''));
        if (target?.kind !== 'file' && target?.kind !== 'link') throw refused(`${name} is a link to nothing`);
        this.#remove(name);
        this.#keep({ ...target, name });
        return;
      }
      case 'file':
      case 'contiguous-file':
        this.#remove(name);
        this.#keep({ kind: 'file', name, mode: permissions, data });
        return;
      default:
        throw refused(`${name} is no file, folder or link`);
    }
  }

  #keep(entry: ArchiveEntry): void {
    // Folders that no layer names are there all the same.
    for (let folder = posix.dirname(entry.name); folder !== '.'; folder = posix.dirname(folder)) {
      const above = this.#entries.get(folder);
      if (above?.kind === 'folder') break;
      if (above !== undefined) throw refused(`${entry.name} is below what is no folder`);
      this.#entries.set(folder, { kind: 'folder', name: folder, mode: 0o755 });
    }
    this.#entries.set(entry.name, entry);
    this.#ofLayer.add(entry.name);
  }

  #remove(name: string): void {
    this.#entries.delete(name);
    this.#removeBelow(name, () => true);
  }

  #removeBelow(folder: string, isMeant: (name: string) => boolean): void {
    for (const name of this.#entries.keys()) {
      if (name.startsWith(`${folder}/`) && isMeant(name)) this.#entries.delete(name);
    }
  }
}

/** In its one form, without `./` and a slash at the end. @throws CodedError `bad-rootfs` */
function nameOf(text: string): string {
  const parts = text.split('/').filter((part, index) => part !== '.' && (part !== '' || index === 0));
  if (parts.length > 1 && parts.at(-1) === '') parts.pop();
  if (parts[0] === '' && parts.length > 1) throw refused('a name is absolute');
  if (parts.includes('..') || text.includes('\0')) throw refused('a name leaves the root');
  return parts.join('/');
}
