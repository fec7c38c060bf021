/** Text for people: no colour where it is not wanted, columns that line up. */
import { afterEach, describe, expect, test } from 'vitest';
import { painter, table } from './terminal.ts';

const saved = { NO_COLOR: process.env.NO_COLOR, TERM: process.env.TERM };

function setEnvironment(name: 'NO_COLOR' | 'TERM', value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

afterEach(() => {
  setEnvironment('NO_COLOR', saved.NO_COLOR);
  setEnvironment('TERM', saved.TERM);
});

const stream = (isTTY: boolean) => ({ isTTY }) as NodeJS.WriteStream;

describe('colour', () => {
  test('is only used on a terminal that wants it', () => {
    setEnvironment('NO_COLOR', undefined);
    setEnvironment('TERM', 'xterm');
    expect(painter(stream(true))('red', 'x')).not.toBe('x');
    expect(painter(stream(false))('red', 'x')).toBe('x');
    setEnvironment('NO_COLOR', '1');
    expect(painter(stream(true))('red', 'x')).toBe('x');
    setEnvironment('NO_COLOR', undefined);
    setEnvironment('TERM', 'dumb');
    expect(painter(stream(true))('red', 'x')).toBe('x');
  });
});

describe('a table', () => {
  test('always pads columns to their widest cell and never ends a line in blanks', () => {
    expect(
      table([
        ['a', 'b'],
        ['long', ''],
      ]),
    ).toBe('a     b\nlong');
  });
});
