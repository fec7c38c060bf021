/** Captures as files: what is read back is what was written. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { captureText, readCapture } from './stored-ruleset.ts';

const folder = new URL('../../properties/vectors/rulesets/', import.meta.url);
const files = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));

describe('a capture', () => {
  test('is written again as it was read, xt parameters and interval ends included', () => {
    expect(files.length).toBeGreaterThan(1);
    for (const text of files) {
      const capture = readCapture(JSON.parse(text));
      expect(capture === null ? '' : captureText(capture)).toBe(text);
    }
  });

  test('keeps what nft -j leaves out: parameters of xt matches', () => {
    const texts = files.filter((text) => text.includes('"name":"conntrack","revision":3,"info":{"hex":"'));
    expect(texts.length).toBeGreaterThan(0);
  });

  test('is never taken for a listing, nor a listing for it', () => {
    expect(readCapture({ nftables: [] })).toBeNull();
    expect(readCapture(null)).toBeNull();
    expect(() => readCapture({ kind: 'huskproof-ruleset', v: 2 })).toThrow(/another version/);
  });
});
