/** Names found by their octets: each by its own, at a label, and by nothing else. */
import { describe, expect, test } from 'vitest';
import { parseHostName, type WireName } from './name.ts';
import { NameTable } from './name-table.ts';

const wire = (text: string) => parseHostName(text) as WireName;

function holding(...names: readonly string[]): NameTable<string> {
  const table = new NameTable<string>();
  for (const name of names) table.add(wire(name), name);
  return table;
}

describe('a table of names', () => {
  test('always finds each of a thousand names, and none that was not added', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `host-${index}.example.com`);
    const table = holding(...names);
    for (const name of names) expect(table.get(wire(name))).toBe(name);
    expect(table.get(wire('host-1000.example.com'))).toBeUndefined();
    expect(table.get(wire('host-1.example.org'))).toBeUndefined();
  });

  test('always tells names apart whose hashes are alike', () => {
    const [one, other] = ['n004pf8.test', 'n00lrj6.test'];
    expect(hashOf(wire(one))).toBe(hashOf(wire(other)));
    const table = holding(one, other);
    expect(table.get(wire(one))).toBe(one);
    expect(table.get(wire(other))).toBe(other);
    expect(holding(one).get(wire(other))).toBeUndefined();
  });

  test('always finds the end of a name that begins at a label', () => {
    const table = holding('x.test');
    expect(table.get(wire('a.b.x.test'), 4)).toBe('x.test');
    expect(table.get(wire('a.b.x.test'), 2)).toBeUndefined();
    expect(table.get(wire('ax.test'))).toBeUndefined();
  });

  test('is empty until a name is added', () => {
    expect(holding().isEmpty).toBe(true);
    expect(holding('a').isEmpty).toBe(false);
  });
});

/** FNV-1a of 32 bits. */
function hashOf(name: WireName): number {
  return name.reduce((hash, octet) => Math.imul(hash ^ octet, 0x01000193), 0x811c9dc5 | 0);
}
