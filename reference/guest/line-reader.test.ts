/** Lines of a peer that may send anything: bounded, whole, and never joined over a disconnection. */
import { describe, expect, test } from 'vitest';
import { LineReader } from './line-reader.ts';

const octets = (text: string) => Buffer.from(text);

describe('lines', () => {
  test('always come whole and in order, however they are cut', () => {
    const text = 'one\ntwo\n\nthree\n';
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new LineReader(16);
      const lines = [...reader.push(octets(text.slice(0, cut))), ...reader.push(octets(text.slice(cut)))];
      expect(lines).toEqual(['one', 'two', '', 'three']);
    }
  });

  test('are held to the bound, newline included, and only the one that is too long is lost', () => {
    const reader = new LineReader(8);
    expect(reader.push(octets('1234567\n12345678\nshort\n'))).toEqual(['1234567', null, 'short']);
  });

  test('that are too long are told once, however long they are', () => {
    const reader = new LineReader(8);
    const lines = Array.from({ length: 1_000 }, () => reader.push(octets('garbage without end'))).flat();
    expect(lines).toEqual([null]);
    expect(reader.push(octets('\nnext\n'))).toEqual(['next']);
  });

  test('of a host that went away are never the beginning of the next one’s', () => {
    const reader = new LineReader(64);
    reader.push(octets('{"method":'));
    reader.reset();
    expect(reader.push(octets('{"method":"ping"}\n'))).toEqual(['{"method":"ping"}']);
  });

  test('leave nothing of themselves in what was read', () => {
    const chunk = octets('{"seed":"5e5e5e"}\n');
    new LineReader(64).push(chunk);
    expect(chunk.every((octet) => octet === 0)).toBe(true);
  });
});
