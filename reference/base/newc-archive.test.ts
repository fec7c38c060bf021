/** The archive is what cpio reads, and the same whatever the order in which it was told. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type ArchiveEntry, newcArchive } from './newc-archive.ts';

const entries: ArchiveEntry[] = [
  { kind: 'folder', name: 'bin', mode: 0o755 },
  { kind: 'file', name: 'bin/tool', mode: 0o755, data: Buffer.from('12345') },
  { kind: 'file', name: 'empty', mode: 0o644, data: new Uint8Array() },
  { kind: 'link', name: 'bin/other', target: 'tool' },
  { kind: 'character-device', name: 'console', mode: 0o600, major: 5, minor: 1 },
];
const octets = (of: readonly ArchiveEntry[]) => Buffer.concat(newcArchive(of));

/** Python's `tarfile` reads no cpio: a reader of the format as the kernel's document has it, and no more. */
const reader = `
import sys, json
data = sys.stdin.buffer.read(); at = 0; rows = []
while True:
    assert data[at:at + 6] == b'070701', at
    f = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    name = data[at + 110:at + 110 + f[11] - 1].decode(); assert data[at + 109 + f[11]] == 0
    at += (110 + f[11] + 3) // 4 * 4
    if name == 'TRAILER!!!': break
    rows.append([name, oct(f[1]), f[2], f[3], f[4], f[5], data[at:at + f[6]].decode(), f[9], f[10]])
    at += (f[6] + 3) // 4 * 4
assert len(data) % 512 == 0 and not any(data[at:])
print(json.dumps(rows))`;

describe('a cpio archive of format newc', () => {
  test('is read by another reader, with owners and times always 0', () => {
    const read = execFileSync('python3', ['-c', reader], { input: octets(entries), timeout: 20_000 });
    expect(JSON.parse(read.toString())).toEqual([
      ['bin', '0o40755', 0, 0, 2, 0, '', 0, 0],
      ['bin/other', '0o120777', 0, 0, 1, 0, 'tool', 0, 0],
      ['bin/tool', '0o100755', 0, 0, 1, 0, '12345', 0, 0],
      ['console', '0o20600', 0, 0, 1, 0, '', 5, 1],
      ['empty', '0o100644', 0, 0, 1, 0, '', 0, 0],
    ]);
  });

  test('never depends on the order of its entries', () => {
    expect(octets(entries.toReversed())).toEqual(octets(entries));
  });

  test.each(['', '/etc', '../up', 'a/../b', 'a//b', './a', 'a/'])('refuses the name %j', (name) => {
    expect(() => newcArchive([{ kind: 'folder', name, mode: 0o755 }])).toThrow(RangeError);
  });

  test('refuses a name that stands twice', () => {
    const twice = { kind: 'folder', name: 'bin', mode: 0o755 } as const;
    expect(() => newcArchive([twice, twice])).toThrow('bin stands twice');
  });
});
