/** A snapshot that lies encrypted on a disk: nothing of it is read there, and nothing that was changed is loaded. */
import { execFileSync } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import {
  chmodSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { close, epollCreate } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import { encryptedOctets } from './encrypted-part.ts';
import { environment, snapshotWith } from './practice-snapshot.ts';
import { loadSnapshot, storeSnapshot } from './snapshot-folder.ts';
import { readStorageKey } from './storage-key.ts';

const mebi = 1 << 20;
const headerOctets = 96;
const slotOctets = mebi + 16;
const word = 'of what the guest knows';
/** A MiB of words, one of zeros, one of words, and a part of one. */
function memoryOf(text: string): Buffer {
  const memory = Buffer.alloc(3 * mebi + 4_096);
  for (const [at, length] of [
    [0, mebi],
    [2 * mebi, mebi + 4_096],
  ] as const) {
    memory.fill(text, at, at + length);
  }
  return memory;
}

const key = createSecretKey(randomBytes(32));
let folder: string;
let snapshot: LoadedSnapshot;
const stored = () => join(folder, 'stored');
const load = (withKey: typeof key | null = key) =>
  loadSnapshot(stored(), snapshot.digest, environment, withKey);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'encrypted-'));
  snapshot = await snapshotWith(memoryOf(word), `state ${word}`);
  await storeSnapshot(snapshot, stored(), key);
});
afterAll(() => {
  snapshot.close();
  rmSync(folder, { recursive: true });
});

test('is loaded with its key as it was, from sealed memory, under the same digest', async () => {
  const loaded = await load();
  expect(loaded.digest).toBe(snapshot.digest);
  expect(readFileSync(`/proc/self/fd/${loaded.memory.fd}`).equals(memoryOf(word))).toBe(true);
  expect(() => writeSync(loaded.memory.fd, 'x', 0)).toThrow(/EPERM/);
  loaded.close();
});

test('holds nothing of it that can be read, and twice stored never the same octets', async () => {
  const again = join(folder, 'again');
  await storeSnapshot(snapshot, again, key);
  await storeSnapshot(snapshot, join(folder, 'plain'));
  for (const name of ['memory', 'device-state']) {
    const octets = readFileSync(join(stored(), name));
    expect(octets.includes(word), name).toBe(false);
    // What is found there when it is not encrypted.
    expect(readFileSync(join(folder, 'plain', name)).includes(word), name).toBe(true);
    expect(readFileSync(join(again, name)).equals(octets), name).toBe(false);
    expect(statSync(join(stored(), name)).mode & 0o777).toBe(0o600);
  }
  expect(statSync(join(stored(), 'memory')).size).toBe(encryptedOctets(3 * mebi + 4_096));
});

const slot = (octets: Buffer, index: number) => {
  const at = headerOctets + index * slotOctets;
  return octets.subarray(at, Math.min(at + slotOctets, octets.length));
};
const flip = (octets: Buffer, at: number) => octets.writeUInt8(octets.readUInt8(at) ^ 1, at);

type Change = (octets: Buffer) => Buffer | undefined;

/** What is done to a file → what the refusal says. */
const onFiles: readonly (readonly [what: string, file: string, change: Change, message: RegExp])[] = [
  [
    'a bit of a chunk',
    'memory',
    (octets) => void flip(octets, headerOctets + 500),
    /: memory.encryption: its chunk 0 /,
  ],
  [
    'a bit of a tag',
    'memory',
    (octets) => void flip(slot(octets, 2), 3),
    /: memory.encryption: its chunk 2 /,
  ],
  [
    'its last bit',
    'memory',
    (octets) => void flip(octets, octets.length - 1),
    /: memory.encryption: its chunk 3 /,
  ],
  ['a bit of the salt', 'memory', (octets) => void flip(octets, 40), /: memory.key: /],
  [
    'a bit of its beginning',
    'memory',
    (octets) => void flip(octets, 2),
    /: memory.encryption: it is not encrypted/,
  ],
  [
    'two chunks that change places',
    'memory',
    (octets) => {
      const first = Buffer.from(slot(octets, 0));
      slot(octets, 2).copy(slot(octets, 0));
      first.copy(slot(octets, 2));
    },
    /: memory.encryption: its chunk 0 /,
  ],
  ['a chunk of zeros', 'memory', (octets) => void slot(octets, 2).fill(0), /: memory.sha256: /],
  [
    'zeros that become a chunk',
    'memory',
    (octets) => void slot(octets, 0).copy(slot(octets, 1)),
    /its chunk 1 /,
  ],
  ['its end missing', 'memory', (octets) => octets.subarray(0, -1), /: memory.octets: /],
  ['its last chunk missing', 'memory', (octets) => octets.subarray(0, -4_112), /: memory.octets: /],
  ['nothing', 'memory', () => Buffer.alloc(0), /: memory.encryption: it is not encrypted/],
  [
    'a bit of the device state',
    'device-state',
    (octets) => void flip(octets, headerOctets + 20),
    /: deviceState.encryption: /,
  ],
  [
    'its plaintext',
    'device-state',
    () => Buffer.from(`state ${word}`),
    /: deviceState.encryption: it is not/,
  ],
];

const withFile = async (name: string, change: Change, message: RegExp) => {
  const path = join(stored(), name);
  const before = readFileSync(path);
  const changed = Buffer.from(before);
  writeFileSync(path, change(changed) ?? changed);
  try {
    await expect(load()).rejects.toMatchObject({ code: 'snapshot-mismatch' });
    await expect(load()).rejects.toThrow(message);
  } finally {
    writeFileSync(path, before);
  }
  (await load()).close();
};

describe('is refused by the name of what differs', () => {
  test.for(onFiles)('%s', ([, name, change, message]) => withFile(name, change, message));

  test('the memory of another snapshot, with the same key and length', async () => {
    const other = await snapshotWith(memoryOf('of what another one knows'), `state ${word}`);
    await storeSnapshot(other, join(folder, 'other'), key);
    other.close();
    await withFile('memory', () => readFileSync(join(folder, 'other', 'memory')), /: memory.sha256: /);
  });

  test('another key, and none', async () => {
    await expect(load(createSecretKey(randomBytes(32)))).rejects.toThrow(/: memory.key: /);
    await expect(load(null)).rejects.toThrow(/: memory.encryption: it is encrypted, and here is no key/);
  });
});

describe('the key', () => {
  const file = (octets: string | Buffer, mode = 0o600) => {
    const path = join(folder, 'key');
    rmSync(path, { force: true });
    writeFileSync(path, octets, { mode });
    chmodSync(path, mode);
    return path;
  };
  const raw = randomBytes(32);
  const fifo = () => {
    const path = join(folder, randomBytes(8).toString('hex'));
    execFileSync('mkfifo', ['-m', '600', path]);
    return path;
  };

  test('is read of a file or a descriptor, in its two forms, and shown by nothing', () => {
    const read = readStorageKey(file(raw));
    for (const form of [raw.toString('hex'), `${raw.toString('hex')}\n`]) {
      expect(readStorageKey(file(form)).equals(read)).toBe(true);
    }
    const fd = openSync(file(raw), 'r');
    expect(readStorageKey(`fd:${fd}`).equals(read)).toBe(true);
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
    for (const shown of [inspect(read, { showHidden: true, depth: 9 }), JSON.stringify({ read })]) {
      expect(shown).not.toContain(raw.toString('hex'));
      expect(shown).not.toContain(raw.toString('base64'));
    }
  });

  test.for<[string, () => string]>([
    ['that is not there', () => join(folder, 'none')],
    ['that others may read', () => file(raw, 0o640)],
    ['that is too short', () => file(raw.subarray(1))],
    ['that is too long', () => file(Buffer.concat([raw, raw, raw]))],
    ['in which a digit is none', () => file(`${'0'.repeat(63)}g`)],
    ['that is a folder', () => folder],
    ['that is a FIFO', () => fifo()],
    ['of an empty descriptor', () => `fd:${openSync(file(''), 'r')}`],
    ['of a pipe that nobody writes to', () => `fd:${openSync(fifo(), 'r+')}`],
    ['of no descriptor', () => 'fd:999999'],
    ['of the output', () => 'fd:2'],
  ])('%s is refused, without a word of it', ([, source]) => {
    let said = '';
    try {
      readStorageKey(source(), 50);
    } catch (error) {
      said = inspect(error);
    }
    expect(said).toContain('bad-storage-key');
    expect(said).not.toContain(raw.toString('hex').slice(0, 16));
  });

  test('of a descriptor such as Node has of its own is refused, and not closed', () => {
    const pipe = openSync(fifo(), constants.O_RDWR | constants.O_NONBLOCK);
    for (const fd of [epollCreate(0), pipe, openSync('/dev/null', 'r')]) {
      expect(() => readStorageKey(`fd:${fd}`)).toThrow(expect.objectContaining({ code: 'bad-storage-key' }));
      close(fd);
    }
  });
});
