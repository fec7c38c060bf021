/** F2.explicit: to run unverified is a decision that somebody wrote down. */
import * as fc from 'fast-check';
import { cachedArbitrary, downloadArbitrary, verified } from '../../arbitraries/staging.ts';
import { defineStagingClaim } from '../staging-claim.ts';

export const claim = defineStagingClaim({
  id: 'F2.explicit',
  statement: 'Running unverified needs `allowUnverified: true`.',
  source: 'findings.md F2, residual: "unverified is the default"',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () =>
    fc.record({
      config: fc.boolean().map((allowUnverified) => ({ ...verified, sha256: '', allowUnverified })),
      cached: cachedArbitrary,
      download: downloadArbitrary,
      tampers: fc.constant([]),
      phases: fc.constantFrom(['stage' as const, 'open' as const], ['open' as const], ['stage' as const]),
      turns: fc.constant([]),
      killAt: fc.constant(null),
      diskFull: fc.constant(false),
      writesMemfd: fc.constant(false),
    }),
  judgeRun({ ends }, { config, cached, download }) {
    const accepted = ends.find(({ outcome }) => outcome === 'staged' || outcome === 'booted');
    const requiredRule = 'findings.md F2: an unset digest needs kernelProvisioner.allowUnverified: true';
    if (!config.allowUnverified) {
      if (accepted === undefined) return null;
      const { phase, outcome, rule } = accepted;
      return {
        observed: `${phase}: ${outcome}, no digest set`,
        observedRule: rule,
        required: 'refuse',
        requiredRule,
      };
    }
    const stages = ends.some(({ phase }) => phase === 'stage');
    if (!stages || cached !== 'nothing') return null;
    if (accepted !== undefined && (download === 'breaks' || download === 'refused')) {
      const observed = `${accepted.phase}: ${accepted.outcome}, though the download ${download}`;
      return { observed, observedRule: accepted.rule, required: 'refuse what was cut off', requiredRule };
    }
    // With the leave the path is open: else this claim would hold for whoever refuses everything.
    if (accepted !== undefined || download !== 'good') return null;
    return {
      observed: 'refused, though it is allowed',
      observedRule: ends[0]?.rule ?? '',
      required: 'accept',
      requiredRule,
    };
  },
});
