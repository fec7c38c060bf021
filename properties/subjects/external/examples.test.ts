/** The adapters to start from: what they share is the same, and nothing passes a template that nobody wired. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const textOf = (path: string) => readFileSync(new URL(`examples/${path}`, import.meta.url), 'utf8');

test('the protocol loop in Go is always the same file in the example and in the template', () => {
  expect(textOf('go-template/protocol.go')).toBe(textOf('go/protocol.go'));
});

test('the template always marks where the original function is imported and called, and answers an error until then', () => {
  const text = textOf('go-template/main.go');
  expect(text).toMatch(/^\t\/\/ original ".*" \/\/ <- the package of the original function$/m);
  expect(text).toMatch(/^\t\/\/ if original\.\w+\(address\) \{ \/\/ <- the original function/m);
  expect(text).toMatch(/^\treturn pinOutput\{\}, errNotWired$/m);
});
