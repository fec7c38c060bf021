/** F5.resume-answer: a review allows when it says yes, clearly, in time, to what was asked. */
import { troubledCase } from '../../arbitraries/memory-moves.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.resume-answer',
      statement:
        'At capture and resume only unambiguous answers allow: each review answered in time with `allowed` alone, beside no `denied`, no evaluation error and no error, and to exactly the question that is asked now.',
      source:
        'findings.md F5 Reference: "allow only on allowed with neither denied nor evaluationError, within a deadline of its own"',
      expected: { decision: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } },
    },
    troubledCase,
    'findings.md F5: allowed with neither denied nor evaluationError, within a deadline',
  ),
);
