/** The model of nf_tables refuses what the kernel refuses, whole transactions at a time. */
import { expect, test } from 'vitest';
import { contentOf } from './nft-listing.ts';
import { applyTransaction, emptyState, type Json, type NftState } from './nft-state.ts';

const at = { family: 'inet', table: 't' };
const table = { add: { table: { family: 'inet', name: 't' } } };
const facts = { devices: new Set(['tap0']) };
const chain = (name: string): Json => ({ add: { chain: { ...at, name } } });
const set = (name: string, more: { [key: string]: Json } = {}): Json => ({
  add: { set: { ...at, name, type: 'ipv4_addr', ...more } },
});
const element = (verb: string, name: string, elem: Json): Json => ({
  [verb]: { element: { ...at, name, elem: [elem] } },
});
const jumpTo = (from: string, target: string): Json => ({
  add: { rule: { ...at, chain: from, expr: [{ jump: { target } }] } },
});

function run(state: NftState, ...commands: Json[]) {
  return applyTransaction(state, commands, facts);
}
const open = run(emptyState, table, chain('a'), chain('b'), set('s', { size: 2 }), jumpTo('a', 'b')).state;

test.each<[string, string, readonly Json[]]>([
  ['a chain that a rule leads to is busy', 'EBUSY', [{ delete: { chain: { ...at, name: 'b' } } }]],
  ['a chain that is not there', 'ENOENT', [{ delete: { chain: { ...at, name: 'c' } } }]],
  ['a rule into a chain that is not there', 'ENOENT', [jumpTo('a', 'c')]],
  [
    'a rule that asks a set that is not there',
    'ENOENT',
    [{ add: { rule: { ...at, chain: 'a', expr: [{ match: { left: 1, right: '@x' } }] } } }],
  ],
  ['to create what is there', 'EEXIST', [{ create: { chain: { ...at, name: 'a' } } }]],
  ['an element that is not there', 'ENOENT', [element('delete', 's', '10.0.0.1')]],
  [
    'an element twice deleted',
    'ENOENT',
    [element('add', 's', '10.0.0.1'), element('delete', 's', '10.0.0.1'), element('delete', 's', '10.0.0.1')],
  ],
  [
    'more elements than the size',
    'ENFILE',
    ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((one) => element('add', 's', one)),
  ],
  [
    'an ingress chain on a device that is not there',
    'ENOENT',
    [
      { add: { table: { family: 'netdev', name: 'n' } } },
      {
        add: {
          chain: {
            family: 'netdev',
            table: 'n',
            name: 'i',
            type: 'filter',
            hook: 'ingress',
            dev: 'tap9',
            prio: 0,
          },
        },
      },
    ],
  ],
  [
    'intervals that overlap',
    'EEXIST',
    [
      set('i', { flags: ['interval'] }),
      element('add', 'i', { prefix: { addr: '10.0.0.0', len: 8 } }),
      element('add', 'i', '10.1.0.0'),
    ],
  ],
  ['a command that this model does not know', 'EOPNOTSUPP', [{ rename: { chain: at } }]],
])('refuses %s, and nothing of the transaction is done', (_, errno, commands) => {
  const { state, error } = run(open, ...commands);
  expect(error?.errno).toBe(errno);
  expect(state).toBe(open);
});

test('adding what is there changes nothing, and what is deleted is gone', () => {
  const again = run(open, table, chain('a'), set('s', { size: 2 }));
  expect(again.error).toBeNull();
  expect(contentOf(again.state)).toEqual(contentOf(open));
  const closed = run(
    open,
    { flush: { chain: { ...at, name: 'a' } } },
    { delete: { chain: { ...at, name: 'b' } } },
  );
  expect(closed.error).toBeNull();
  expect(contentOf(closed.state).some((line) => line.startsWith('chain inet t b'))).toBe(false);
});

test('a transaction never changes the state before it', () => {
  const before = JSON.stringify(contentOf(open));
  run(open, element('add', 's', '10.0.0.1'), { delete: { table: { family: 'inet', name: 't' } } });
  expect(JSON.stringify(contentOf(open))).toBe(before);
});
