/** F2.mismatch: another kernel is refused, fresh or cached. */
import * as fc from 'fast-check';
import { anyCase, verified } from '../../arbitraries/staging.ts';
import { contentText } from '../../models/stager.ts';
import { defineStagingClaim, isGood } from '../staging-claim.ts';

export const claim = defineStagingClaim({
  id: 'F2.mismatch',
  statement: 'A fresh or cached kernel with another digest is refused at stage time.',
  source: 'findings.md F2, published: "verifies fresh and already staged files and fails closed"',
  blindSpot: 'nobody interferes here: F2.stage and F2.digest',
  expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
  arbitrary: () =>
    fc.record({
      config: anyCase.map((sha256) => ({ ...verified, sha256 })),
      cached: fc.constantFrom(
        'nothing' as const,
        'evil' as const,
        'empty' as const,
        'half' as const,
        'good' as const,
      ),
      download: fc.constantFrom(
        'evil' as const,
        'empty' as const,
        'half' as const,
        'page' as const,
        'good' as const,
      ),
      tampers: fc.constant([]),
      phases: fc.constantFrom(['stage' as const], ['stage' as const, 'stage' as const]),
      turns: fc.constant([]),
      killAt: fc.constant(null),
      diskFull: fc.constant(false),
      writesMemfd: fc.constant(false),
    }),
  judgeRun({ promoted, ends }) {
    const wrong = promoted.find((content) => !isGood(content));
    if (wrong === undefined) return null;
    return {
      observed: `staged ${contentText(wrong)}`,
      observedRule: ends.at(-1)?.rule ?? '',
      required: 'refuse',
      requiredRule: 'kernelProvisioner.kernelSha256 names another file',
    };
  },
});
