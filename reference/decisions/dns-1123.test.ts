/** Names as Kubernetes checks them: nothing but a-z, 0-9, - and . in their places. */
import { describe, expect, test } from 'vitest';
import { isDnsLabel, isDnsSubdomain } from './dns-1123.ts';

describe('a DNS-1123 label', () => {
  test.each(['a', '0', 'a-b', 'a--0', 'x'.repeat(63)])('may be %s', (name) => {
    expect([isDnsLabel(name), isDnsSubdomain(name)]).toEqual([true, true]);
  });

  test.each<[unknown]>([
    [undefined],
    [null],
    [7],
    [['a']],
    [''],
    ['-'],
    ['-a'],
    ['a-'],
    ['A'],
    ['a_b'],
    ['a b'],
    ['a\n'],
    ['\na'],
    ['a/b'],
    ['\u00e4'],
    ['../*'],
    ['system:serviceaccount:x:y'],
  ])('is never %j, nor is a subdomain', (name) => {
    expect([isDnsLabel(name), isDnsSubdomain(name)]).toEqual([false, false]);
  });

  test('is never longer than 63 characters, and has no dot', () => {
    expect(isDnsLabel('x'.repeat(64))).toBe(false);
    expect(isDnsLabel('a.b')).toBe(false);
  });
});

describe('a DNS-1123 subdomain', () => {
  test.each(['a.b', 'a.0.c-d', `${'a.'.repeat(126)}a`])('may be %s', (name) => {
    expect(isDnsSubdomain(name)).toBe(true);
  });

  test.each(['.', '.a', 'a.', 'a..b', 'a.-b', 'a-.b', `${'a.'.repeat(126)}ab`])('is never %s', (name) => {
    expect(isDnsSubdomain(name)).toBe(false);
  });
});
