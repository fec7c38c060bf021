/**
 * What happens in a world with memory before somebody asks for it: moves of tenants, authors and bad luck,
 * each told in a sentence.
 */
import * as fc from 'fast-check';
import { type GateInput, MemoryWorld, people, type Stamp } from '../models/memory-world.ts';
import {
  type AnswerFault,
  type Attempted,
  answerFaults,
  attempt,
  type ListFault,
  listFaults,
  type Trouble,
} from '../models/resume-run.ts';
import type { Subject } from '../subjects/subject.ts';

export interface Move {
  readonly says: string;
  happen(world: MemoryWorld): void;
}

export function move(says: string, happen: (world: MemoryWorld) => void): Move {
  return { says, happen };
}

export interface MemoryCase {
  /** Who made the claim that was admitted, and whose memory was captured. */
  readonly author: 'alice' | 'grace';
  readonly operation: GateInput['operation'];
  readonly before: readonly Move[];
  /** Between the answers to the reviews and the last question. */
  readonly between: readonly Move[];
  readonly trouble: Trouble | null;
}

const author = fc.constantFrom('alice' as const, 'grace' as const);
const operation = fc.constantFrom('resume' as const, 'capture' as const);

/** Each move alone, for both operations: what a reviewer reads first. */
export function singleMoves(moves: readonly Move[]): readonly MemoryCase[] {
  return (['resume', 'capture'] as const).flatMap((what) =>
    moves.map((one) => ({
      author: 'alice' as const,
      operation: what,
      before: [one],
      between: [],
      trouble: null,
    })),
  );
}

export interface CaseShape {
  readonly before: readonly Move[];
  /** Moves that may also happen while the reviews are answered; rights never change there. */
  readonly between?: readonly Move[];
  readonly operation?: fc.Arbitrary<GateInput['operation']>;
}

/** One to three moves, most of them before the question. */
export function memoryCase({ before, between = [], ...shape }: CaseShape): fc.Arbitrary<MemoryCase> {
  const moves = fc.array(fc.constantFrom(...before), { minLength: 1, maxLength: 3 });
  const early = fc.record({
    author,
    operation: shape.operation ?? operation,
    before: moves,
    between: fc.constant<Move[]>([]),
    trouble: fc.constant(null),
  });
  if (between.length === 0) return early;
  const late = fc.record({
    author,
    operation: shape.operation ?? operation,
    before: fc.constant<Move[]>([]),
    between: fc.array(fc.constantFrom(...between), { minLength: 1, maxLength: 2 }),
    trouble: fc.constant(null),
  });
  return fc.oneof({ weight: 3, arbitrary: early }, { weight: 1, arbitrary: late });
}

export const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({
    kind: fc.constant('answer' as const),
    right: fc.constantFrom('impersonate' as const, 'resume' as const),
    fault: fc.constantFrom(...(Object.keys(answerFaults) as AnswerFault[])),
  }),
  fc.record({
    kind: fc.constant('list' as const),
    fault: fc.constantFrom(...(Object.keys(listFaults) as ListFault[])),
  }),
  fc.record({ kind: fc.constant('late' as const), byMs: fc.constantFrom(0.5, 1, 1000, 86_400_000) }),
);

/** The same rights and objects, asked while the answers go wrong. */
export const troubledCase: fc.Arbitrary<MemoryCase> = fc.record({
  author,
  operation,
  before: fc.constant<Move[]>([]),
  between: fc.constant<Move[]>([]),
  trouble,
});

export function runMemoryCase(
  subject: Subject,
  input: MemoryCase,
): { readonly world: MemoryWorld; readonly attempted: Attempted } {
  const world = new MemoryWorld(people[input.author]);
  for (const { happen } of input.before) happen(world);
  const attempted = attempt(subject, world, {
    operation: input.operation,
    trouble: input.trouble,
    between: (changing) => {
      for (const { happen } of input.between) happen(changing);
    },
  });
  return { world, attempted };
}

/** The stamp says something else, as if admission had found it; seen on this claim first. */
export function stampSays(world: MemoryWorld, fields: Partial<Stamp>): void {
  const { stamp } = world.claim;
  if (stamp === null) return;
  world.claim = { ...world.claim, stamp: { ...stamp, ...fields }, checked: null };
  world.see();
}

export function notationOfMemory({
  author: who,
  operation: what,
  before,
  between,
  trouble: bad,
}: MemoryCase) {
  const wrong =
    bad === null
      ? []
      : bad.kind === 'answer'
        ? [`the answer on ${bad.right}: ${bad.fault}`]
        : [bad.kind === 'list' ? `the answers: ${bad.fault}` : `the answers come ${bad.byMs} ms late`];
  return [
    `${what} for the admitted claim of ${who}`,
    ...before.map(({ says }) => says),
    ...between.map(({ says }) => `while it is reviewed, ${says}`),
    ...wrong,
  ].join('; ');
}
