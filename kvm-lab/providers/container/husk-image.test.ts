/** The image is built whole or not at all, and what is missing for it is named. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildImage, huskImage } from './husk-image.ts';

const { PATH, TMPDIR } = process.env;
let place = '';

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'husk-image-test-'));
});

afterEach(() => {
  process.env.PATH = PATH;
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  rmSync(place, { recursive: true });
});

test('without mmdebstrap it is an error that names the package, and nothing is left', async () => {
  process.env.PATH = process.env.TMPDIR = place;
  const said: string[] = [];
  const built = buildImage((line) => said.push(line));
  await expect(built).rejects.toMatchObject({
    code: 'image-not-built',
    remediation: expect.stringContaining('apt-get install -y mmdebstrap'),
  });
  expect(said).toHaveLength(1);
  expect(readdirSync(place)).toEqual([]);
});

test('its tag is the same each time, and names the recipe', () => {
  expect(huskImage()).toBe(huskImage());
  expect(huskImage()).toMatch(/^huskproof-husk:[0-9a-f]{12}$/);
});
