/** The BDD package against truth tables: the same expression over all assignments of eight variables. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bdd, type Node } from './bdd.ts';

const variables = 8;
const assignments = 1 << variables;

type Expression =
  | { readonly kind: 'variable'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'not'; readonly operand: Expression }
  | {
      readonly kind: 'and' | 'or' | 'xor';
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'ite';
      readonly condition: Expression;
      readonly left: Expression;
      readonly right: Expression;
    };

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 7, withCrossShrink: true },
    fc.nat({ max: variables - 1 }).map((index): Expression => ({ kind: 'variable', index })),
    fc.boolean().map((value): Expression => ({ kind: 'constant', value })),
    tie('expression').map((operand): Expression => ({ kind: 'not', operand })),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const, 'xor' as const),
      left: tie('expression'),
      right: tie('expression'),
    }),
    fc.record({
      kind: fc.constant('ite' as const),
      condition: tie('expression'),
      left: tie('expression'),
      right: tie('expression'),
    }),
  ),
}));

function nodeOf(bdd: Bdd, of: Expression): Node {
  switch (of.kind) {
    case 'variable':
      return bdd.variable(of.index);
    case 'constant':
      return of.value ? bdd.always : bdd.never;
    case 'not':
      return bdd.not(nodeOf(bdd, of.operand));
    case 'ite':
      return bdd.ite(nodeOf(bdd, of.condition), nodeOf(bdd, of.left), nodeOf(bdd, of.right));
    default:
      return bdd[of.kind](nodeOf(bdd, of.left), nodeOf(bdd, of.right));
  }
}

/** The first variable is the most significant bit. */
const bitOf = (assignment: number, variable: number) =>
  ((assignment >> (variables - 1 - variable)) & 1) === 1;

function truthOf(of: Expression, assignment: number): boolean {
  switch (of.kind) {
    case 'variable':
      return bitOf(assignment, of.index);
    case 'constant':
      return of.value;
    case 'not':
      return !truthOf(of.operand, assignment);
    case 'and':
      return truthOf(of.left, assignment) && truthOf(of.right, assignment);
    case 'or':
      return truthOf(of.left, assignment) || truthOf(of.right, assignment);
    case 'xor':
      return truthOf(of.left, assignment) !== truthOf(of.right, assignment);
    case 'ite':
      return truthOf(truthOf(of.condition, assignment) ? of.left : of.right, assignment);
  }
}

const options = { seed: 5, numRuns: 400 };

describe('a BDD', () => {
  test('always holds exactly the assignments that the truth table holds', () => {
    // One diagram for all expressions: nodes are shared.
    const bdd = new Bdd(variables);
    fc.assert(
      fc.property(expression, (of) => {
        const node = nodeOf(bdd, of);
        const members = Array.from({ length: assignments }, (_, assignment) => assignment).filter(
          (assignment) => truthOf(of, assignment),
        );
        for (let assignment = 0; assignment < assignments; assignment++) {
          expect(bdd.holds(node, (variable) => bitOf(assignment, variable))).toBe(truthOf(of, assignment));
        }
        expect(bdd.size(node)).toBe(BigInt(members.length));
        expect(bdd.lowest(node)).toBe(members.length === 0 ? null : BigInt(members[0] as number));
        const inside = bdd
          .intervals(node)
          .flatMap(({ first, last }) =>
            Array.from({ length: Number(last - first) + 1 }, (_, index) => Number(first) + index),
          );
        expect(inside).toEqual(members);
      }),
      options,
    );
  });

  test('always is the same node for the same set, and never for another', () => {
    const bdd = new Bdd(variables);
    fc.assert(
      fc.property(expression, expression, (one, other) => {
        const same = Array.from({ length: assignments }, (_, assignment) => assignment).every(
          (assignment) => truthOf(one, assignment) === truthOf(other, assignment),
        );
        expect(nodeOf(bdd, one) === nodeOf(bdd, other)).toBe(same);
        expect(nodeOf(bdd, { kind: 'xor', left: one, right: other }) === bdd.never).toBe(same);
        expect(nodeOf(bdd, { kind: 'not', operand: { kind: 'not', operand: one } })).toBe(nodeOf(bdd, one));
      }),
      options,
    );
  });

  test('only grows to its bound, and says so', () => {
    const bdd = new Bdd(64, 100);
    const parity = () => {
      let node = bdd.never;
      for (let index = 0; index < 64; index++) node = bdd.xor(node, bdd.variable(index));
    };
    expect(parity).toThrow(expect.objectContaining({ code: 'proof-too-large' }));
    expect(bdd.nodes).toBeLessThanOrEqual(100);
  });
});
