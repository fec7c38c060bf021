/** `--volume` and the verbs of a server: what is no volume, and a folder that no server runs on, are told at once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { runCli } from './run-cli.ts';
import { declaredBy, imagesOf, octetsAmong, parseVolume } from './sandbox-volumes.ts';

test('an image, a path and :ro are told apart; what lacks one is refused', () => {
  const parsed = ['data.ext4:/data', './a:b/c.ext4:/data:ro', '/abs/x:/y'].flatMap((text) =>
    parseVolume(text, []),
  );
  expect(parsed).toEqual([
    { source: 'data.ext4', path: '/data', access: 'private' },
    { source: './a:b/c.ext4', path: '/data', access: 'readonly' },
    { source: '/abs/x', path: '/y', access: 'private' },
  ]);
  for (const text of ['', 'data.ext4', ':/data', 'data.ext4:', 'data.ext4:data', 'x:/a:rw', 'x:/a:/b']) {
    expect(() => parseVolume(text, []), text).toThrow(expect.objectContaining({ code: 'bad-value' }));
  }
});

test('each has a serial of its own, the same when it is declared and when it is given', () => {
  const asked = ['a:/x', 'b:/y:ro'].reduce(
    (all, text) => [...parseVolume(text, all)],
    [] as ReturnType<typeof parseVolume>,
  );
  const declared = declaredBy(
    asked,
    octetsAmong([
      { name: 'a', octets: 512 },
      { name: 'b', octets: 1_024 },
    ]),
  );
  expect(declared).toEqual([
    { serial: 'volume0', octets: 512, access: 'private', path: '/x' },
    { serial: 'volume1', octets: 1_024, access: 'readonly', path: '/y' },
  ]);
  expect(imagesOf(asked)).toEqual([
    { serial: 'volume0', image: 'a' },
    { serial: 'volume1', image: 'b' },
  ]);
  expect(() => declaredBy(asked, octetsAmong([{ name: 'a', octets: 512 }]))).toThrow(
    expect.objectContaining({ code: 'bad-volume', message: expect.stringContaining('no image b') }),
  );
});

test('what cannot be mounted is said before anything is built', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(`${tmpdir()}/huskproof-run-`);
  writeFileSync(`${folder}/odd`, 'odd');
  for (const [volume, message] of [
    ['data', /does not say what is mounted where/],
    [`${folder}/none:/data`, /none is no image for a volume: there is none of that name/],
    [`${folder}/odd:/data`, /it has 3 octets/],
    [`${folder}:/data`, /it is a folder/],
    ['/dev/zero:/data', /it is a device node/],
  ] as const) {
    const { code, stderr } = await runCli([
      'sandbox',
      'run',
      '--folder',
      `${folder}/state`,
      '--volume',
      volume,
      '--',
      'true',
    ]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  }
  rmSync(folder, { recursive: true });
});

test('a verb that asks a server says so where none runs', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(`${tmpdir()}/huskproof-none-`);
  const told = 'no-server';
  for (const words of [
    ['create'],
    ['list'],
    ['exec', 'sb-1', '--', 'true'],
    ['fork', 'sb-1'],
    ['end', 'sb-1'],
  ]) {
    const [verb = '', ...others] = words;
    const { code, stderr } = await runCli(['sandbox', verb, '--folder', folder, ...others]);
    expect(stderr).toContain(`[${told}]`);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/no sandbox server runs on .*\n.*pnpm sandbox serve/),
    ]);
  }
  rmSync(folder, { recursive: true });
});
