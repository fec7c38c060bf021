/** F2.form: a digest is 64 hex digits, or it is refused by name. */
import * as fc from 'fast-check';
import { malformedDigest, malformedDigests, verified } from '../../arbitraries/staging.ts';
import { defineStagingClaim, stagedVectors } from '../staging-claim.ts';

export const claim = defineStagingClaim({
  id: 'F2.form',
  statement:
    'A digest that is not exactly 64 hex digits is refused by name, whatever shell or tool reads it.',
  source: 'findings.md F2, residual: "a two-line digest value names another file and passes (coreutils)"',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  examples: () => stagedVectors(({ config }) => malformedDigests.includes(config.sha256)),
  arbitrary: () =>
    fc.record({
      config: fc.record({
        sha256: malformedDigest,
        allowUnverified: fc.boolean(),
        destination: fc.constant(verified.destination),
      }),
      cached: fc.constantFrom('nothing' as const, 'good' as const, 'evil' as const),
      download: fc.constantFrom('good' as const, 'evil' as const),
      tampers: fc.constant([]),
      phases: fc.constantFrom(['stage' as const], ['open' as const], ['stage' as const, 'open' as const]),
      turns: fc.constant([]),
      killAt: fc.constant(null),
      diskFull: fc.constant(false),
      writesMemfd: fc.constant(false),
    }),
  judgeRun({ ends, steps }) {
    const requiredRule = 'findings.md F2: exactly 64 hex digits, either case';
    const accepted = ends.find(({ outcome }) => outcome !== 'refused');
    if (accepted !== undefined) {
      const { phase, outcome, rule } = accepted;
      return { observed: `${phase}: ${outcome}`, observedRule: rule, required: 'refuse', requiredRule };
    }
    // Whoever reads a file before it reads the digest leaves the verdict to the tool that compares them.
    const read = steps.find((step) => / (open|copy-and-hash|fetch|check-line|boot) /.test(step));
    if (read === undefined) return null;
    return {
      observed: `goes on: ${read}`,
      required: 'refuse the digest itself, before any file is read',
      requiredRule,
    };
  },
});
