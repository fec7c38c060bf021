/** The diagrams against truth tables, and the vectors against arithmetic. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { always, type Bdd, Bdds, never } from './bdd.ts';
import { addBits, constantBytes, equalBits, lessBits, numberBits, withinBits } from './bit-vector.ts';

const variables = 5;
const rows = 1 << variables;

type Formula =
  | { readonly op: 'variable'; readonly index: number }
  | { readonly op: 'not'; readonly a: Formula }
  | { readonly op: 'and' | 'or' | 'xor'; readonly a: Formula; readonly b: Formula }
  | { readonly op: 'ite'; readonly a: Formula; readonly b: Formula; readonly c: Formula };

const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
  formula: fc.oneof(
    { maxDepth: 6 },
    fc.record({ op: fc.constant('variable' as const), index: fc.nat(variables - 1) }),
    fc.record({ op: fc.constant('not' as const), a: tie('formula') }),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const, 'xor' as const),
      a: tie('formula'),
      b: tie('formula'),
    }),
    fc.record({ op: fc.constant('ite' as const), a: tie('formula'), b: tie('formula'), c: tie('formula') }),
  ),
}));

function build(bdds: Bdds, leaves: readonly Bdd[], one: Formula): Bdd {
  const part = (inner: Formula) => build(bdds, leaves, inner);
  if (one.op === 'variable') return leaves[one.index] as Bdd;
  if (one.op === 'not') return bdds.not(part(one.a));
  if (one.op === 'ite') return bdds.ite(part(one.a), part(one.b), part(one.c));
  return bdds[one.op](part(one.a), part(one.b));
}

function truth(row: number, one: Formula): boolean {
  switch (one.op) {
    case 'variable':
      return ((row >> one.index) & 1) === 1;
    case 'not':
      return !truth(row, one.a);
    case 'ite':
      return truth(row, one.a) ? truth(row, one.b) : truth(row, one.c);
    case 'and':
      return truth(row, one.a) && truth(row, one.b);
    case 'or':
      return truth(row, one.a) || truth(row, one.b);
    case 'xor':
      return truth(row, one.a) !== truth(row, one.b);
  }
}

const assignment = (row: number) =>
  new Map(Array.from({ length: variables }, (_, i) => [i, ((row >> i) & 1) === 1] as const));
const table = (one: Formula) => Array.from({ length: rows }, (_, row) => truth(row, one));

describe('decision diagrams', () => {
  test('always have the truth table of their formula, and equal tables are one diagram', () => {
    fc.assert(
      fc.property(formula, formula, (left, right) => {
        const bdds = new Bdds();
        const leaves = Array.from({ length: variables }, () => bdds.variable());
        const [a, b] = [build(bdds, leaves, left), build(bdds, leaves, right)];
        const values = Array.from({ length: rows }, (_, row) => bdds.valueOf(a, assignment(row)));
        expect(values).toEqual(table(left));
        expect(a === b).toBe(table(left).join() === table(right).join());
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  test('satisfy only what can be satisfied', () => {
    fc.assert(
      fc.property(formula, (one) => {
        const bdds = new Bdds();
        const leaves = Array.from({ length: variables }, () => bdds.variable());
        const built = build(bdds, leaves, one);
        const found = bdds.satisfy(built);
        if (found === null) expect(built).toBe(never);
        else expect(bdds.valueOf(built, found)).toBe(true);
      }),
      { numRuns: 200, seed: 2 },
    );
  });
});

test('only grow to their bound, and say so', () => {
  const bdds = new Bdds(100);
  const parity = () => {
    let odd: Bdd = never;
    for (let index = 0; index < 64; index++) odd = bdds.xor(odd, bdds.variable());
  };
  expect(parity).toThrow(expect.objectContaining({ code: 'proof-too-large' }));
  expect(bdds.nodes).toBe(100);
});

describe('bit vectors', () => {
  const byte = fc.nat(255);

  test('compare and add as numbers do', () => {
    const bdds = new Bdds();
    const known = (value: boolean) => (value ? always : never);
    fc.assert(
      fc.property(byte, byte, byte, (a, b, c) => {
        const [x, y, z] = [numberBits(a, 8), numberBits(b, 8), numberBits(c, 8)];
        expect(lessBits(bdds, x, y)).toBe(known(a < b));
        expect(equalBits(bdds, x, y)).toBe(known(a === b));
        expect(withinBits(bdds, x, y, z)).toBe(known(b <= a && a <= c));
        expect(constantBytes(addBits(bdds, x, y))).toEqual([(a + b) & 0xff]);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});
