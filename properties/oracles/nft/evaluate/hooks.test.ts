/** What makes the kernel track connections: held to Linux 6.18 by the fidelity run, told here by example. */
import { expect, test } from 'vitest';
import type { Expression, Ruleset } from '../ruleset.ts';
import { conntrackActive } from './hooks.ts';

const rulesetOf = (...expressions: readonly Expression[]): Ruleset => ({
  tables: [
    {
      family: 'ip',
      name: 'raw',
      dormant: false,
      chains: new Map([['own', { name: 'own', base: null, rules: [{ handle: 1, expressions }] }]]),
      sets: new Map(),
      objects: new Map(),
    },
  ],
});

const target = (name: string, flags: number): Expression => ({
  kind: 'target',
  name,
  revision: 2,
  info: [flags, ...Array.from({ length: 127 }, () => 0)],
});

test.each<[string, boolean, Expression]>([
  ['the target CT that gives a helper or a zone', true, target('CT', 0)],
  ['the target CT that only leaves packets untracked', false, target('CT', 1)],
  ['the same by its old name NOTRACK', false, target('CT', 3)],
  ['masquerade', true, { kind: 'masquerade', port: null, flags: 0 }],
  ['nothing but notrack', false, { kind: 'notrack' }],
])('%s: tracks %s', (_, isActive, expression) => {
  expect(conntrackActive(rulesetOf(expression), 4)).toBe(isActive);
  expect(conntrackActive(rulesetOf(expression), 6)).toBe(false);
});
