/** What is printed to be pasted is read back by a shell word for word. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWords } from './shell-words.ts';

test.each([
  [['./their-program', '--flag=1', 'a,b']],
  [['a b', '', "it's", '"quoted"', '$HOME', '`id`', 'a;b', '*', '~', 'tab\there', 'line\nbreak', '#', '!x']],
])('%j is always read back by the shell as it was', (words) => {
  const printed = execFileSync('sh', [
    '-c',
    `for word in ${shellWords(words)}; do printf '%s\\0' "$word"; done`,
  ]);
  expect(printed.toString().split('\0').slice(0, -1)).toEqual(words);
});

test('words that need no quotes never get any', () => {
  expect(shellWords(['python3', './a-b_c.py', '--x=1'])).toBe('python3 ./a-b_c.py --x=1');
});
