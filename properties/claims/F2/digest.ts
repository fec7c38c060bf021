/** F2.digest: what boots is what was hashed. */
import * as fc from 'fast-check';
import {
  cachedArbitrary,
  downloadArbitrary,
  goodDigest,
  tamperArbitrary,
  verified,
} from '../../arbitraries/staging.ts';
import { contentText } from '../../models/stager.ts';
import { defineStagingClaim, isGood, stagedVectors } from '../staging-claim.ts';

export const claim = defineStagingClaim({
  id: 'F2.digest',
  statement: 'The kernel that boots is the one that was hashed, whatever happens to the file in between.',
  source:
    'findings.md F2, residual: "verify-then-use window (the file can change between staging and each boot)"',
  blindSpot: 'somebody who writes into the stager’s own memory',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  examples: () => stagedVectors(({ config }) => config.sha256 === goodDigest),
  arbitrary: () =>
    fc.record({
      config: fc.constant(verified),
      cached: cachedArbitrary,
      download: fc.oneof(
        { weight: 3, arbitrary: fc.constant('good' as const) },
        { weight: 1, arbitrary: downloadArbitrary },
      ),
      tampers: fc.array(tamperArbitrary, { maxLength: 3 }),
      phases: fc.constantFrom(
        ['stage' as const, 'open' as const],
        ['open' as const],
        ['stage' as const, 'open' as const, 'open' as const],
      ),
      turns: fc.constant([]),
      killAt: fc.constant(null),
      diskFull: fc.constant(false),
      writesMemfd: fc.boolean(),
    }),
  judgeRun({ booted, ends }) {
    const wrong = booted.find((content) => !isGood(content));
    if (wrong === undefined) return null;
    return {
      observed: `boots ${contentText(wrong)}`,
      observedRule: ends.find(({ outcome }) => outcome === 'booted')?.rule ?? '',
      required: 'boot the file that the digest names, or nothing',
      requiredRule: 'findings.md F2: what is booted is what was hashed',
    };
  },
});
