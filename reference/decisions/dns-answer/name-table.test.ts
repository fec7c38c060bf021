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
    expect(names.filter((name) => table.get(wire(name)) !== name)).toEqual([]);
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

  test('never costs what it holds: another name of one length is not looked at, and none of another length', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `host-${1_000 + index}.test`);
    const table = holding(...names);
    const looksFor = (text: string) => {
      let looks = 0;
      const counted = new Proxy(wire(text), {
        get(target, key) {
          looks += key === 'length' ? 0 : 1;
          return Reflect.get(target, key, target);
        },
      });
      return { found: table.get(counted), looks: () => looks };
    };
    const octets = wire('host-1999.test').length;
    const [known, other, longer] = ['host-1999.test', 'host-2999.test', 'host-19999.test'].map(looksFor);
    expect([known?.found, other?.found, longer?.found]).toEqual(['host-1999.test', undefined, undefined]);
    expect(known?.looks()).toBeLessThanOrEqual(3 * octets);
    expect(other?.looks()).toBeLessThanOrEqual(3 * octets);
    expect(longer?.looks()).toBe(0);
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
