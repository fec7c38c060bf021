/** F2.stage: nothing but the file that was checked is ever promoted. */
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
  id: 'F2.stage',
  statement:
    'Swapped, truncated, empty, symlinked, special, mid-check-changed files are never promoted, and none of them stops the stager.',
  source:
    'findings.md F2, residual: "a swap by rename while it is hashed promoted the wrong file in 9 of 60 tries"; "two stagers promote a torn file"',
  blindSpot:
    'somebody who can write the temporary file of random name, mode 0600, that the stager made; what becomes of the file after it was promoted is F2.digest',
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
      tampers: fc.array(tamperArbitrary, { maxLength: 2 }),
      phases: fc.constant(['stage' as const]),
      turns: fc.oneof(fc.constant([]), fc.array(fc.boolean(), { maxLength: 16 })),
      killAt: fc.option(fc.nat({ max: 12 }), { nil: null, freq: 4 }),
      diskFull: fc.oneof(
        { weight: 5, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      writesMemfd: fc.boolean(),
    }),
  judgeRun({ promoted, ends }) {
    const requiredRule =
      'findings.md F2: the bytes are hashed while they are copied, publish is atomic, no link is followed';
    const stuck = ends.find(({ outcome }) => outcome === 'hung' || outcome === 'endless');
    if (stuck !== undefined) {
      return {
        observed: `${stuck.outcome} for ever`,
        observedRule: stuck.rule,
        required: 'an end',
        requiredRule,
      };
    }
    const wrong = promoted.find((content) => !isGood(content));
    if (wrong === undefined) return null;
    const observedRule = ends.find(({ outcome }) => outcome === 'staged')?.rule ?? '';
    return {
      observed: `staged ${contentText(wrong)}`,
      observedRule,
      required: 'promote the checked file alone',
      requiredRule,
    };
  },
});
