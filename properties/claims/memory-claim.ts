/**
 * What the F5 claims on captured memory have in common: a world in which alice's claim was admitted and its
 * memory captured, and in which something happens before it is asked for again.
 */
import type * as fc from 'fast-check';
import { type MemoryCase, notationOfMemory, runMemoryCase } from '../arbitraries/memory-moves.ts';
import type { Attempted } from '../models/resume-run.ts';
import { whyWrong } from '../oracles/memory-oracle.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Claim } from './claim.ts';

const honest: MemoryCase = { author: 'alice', operation: 'resume', before: [], between: [], trouble: null };

/** The path is open: whoever holds both rights has memory captured, and resumed. */
export function aliceIsServed(subject: Subject): string | null {
  for (const operation of ['resume', 'capture'] as const) {
    const { output } = runMemoryCase(subject, { ...honest, operation }).attempted;
    if (output.verdict !== operation)
      return `${operation} of an admitted claim is not served: ${output.rule}`;
  }
  return null;
}

export function describeOutput({ verdict, memory, binding }: Attempted['output']): string {
  if (verdict === 'resume') return `resumes ${memory ?? 'no memory'}`;
  if (verdict !== 'capture') return verdict === 'refuse' ? 'refuses' : 'wants more reviews';
  const principal = binding?.principal;
  return principal === undefined
    ? 'captures, bound to a name at most'
    : `captures, bound to ${principal.namespace}/${principal.name} (${principal.uid})`;
}

type Declared = Pick<Claim, 'id' | 'statement' | 'source' | 'expected' | 'blindSpot' | 'weight'>;

/** A claim that nothing is resumed or captured that must not be, by what really happened. */
export function memoryClaim(
  declared: Declared,
  cases: fc.Arbitrary<MemoryCase>,
  requiredRule: string,
  examples: readonly MemoryCase[] = [],
): Claim<MemoryCase> {
  return {
    ...declared,
    decisions: ['resume-gate'],
    arbitrary: () => cases,
    examples: () => examples,
    control: aliceIsServed,
    judge: (subject, input) => judgeMemory(subject, input, requiredRule),
    notation: notationOfMemory,
    observe(subject, input) {
      const { steps } = runMemoryCase(subject, input).attempted;
      return steps.join('\n');
    },
  };
}

function judgeMemory(subject: Subject, input: MemoryCase, requiredRule: string): Violation | null {
  const { world, attempted } = runMemoryCase(subject, input);
  const why = whyWrong(world, attempted);
  if (why === null) return null;
  return {
    observed: describeOutput(attempted.output),
    observedRule: attempted.output.rule,
    required: `refuse: ${why}`,
    requiredRule,
    steps: attempted.steps,
  };
}
