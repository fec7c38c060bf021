/** F2.residue: a failure leaves nothing behind, and touches nothing else. */
import * as fc from 'fast-check';
import {
  cachedArbitrary,
  downloadArbitrary,
  goodDigest,
  malformedDigest,
  tamperArbitrary,
  verified,
} from '../../arbitraries/staging.ts';
import { contents, destination, predictable, victim } from '../../models/staged-files.ts';
import { contentText } from '../../models/stager.ts';
import { defineStagingClaim, isGood } from '../staging-claim.ts';

/** What lies there when the stager comes; writing through a link of one's own is no fault of the stager. */
const plantedBefore = tamperArbitrary
  .filter(({ how }) => how !== 'write' && how !== 'truncate')
  .map((tamper) => ({ ...tamper, at: 0 }));

export const claim = defineStagingClaim({
  id: 'F2.residue',
  statement:
    'After any failed staging nothing unverified is at the destination, nothing temporary left, no other file touched.',
  source:
    'findings.md F2, residual: "a poisoned file with the digest set stays at the destination when the download fails"; "a symlink or hard link at dest.tmp overwrites its target"',
  blindSpot:
    'what somebody puts at the destination after the stager has looked for the last time; a directory there is refused and left',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () =>
    fc.record({
      config: fc
        .oneof(
          { weight: 5, arbitrary: fc.constant(goodDigest) },
          { weight: 1, arbitrary: malformedDigest },
          { weight: 1, arbitrary: fc.constant('') },
        )
        .map((sha256) => ({ ...verified, sha256 })),
      cached: cachedArbitrary,
      download: downloadArbitrary,
      // Before the stager begins: later changes of the destination are somebody else's residue.
      tampers: fc.array(plantedBefore, { maxLength: 2 }),
      phases: fc.constant(['stage' as const]),
      turns: fc.constant([]),
      killAt: fc.option(fc.nat({ max: 14 }), { nil: null, freq: 2 }),
      diskFull: fc.oneof(
        { weight: 3, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      writesMemfd: fc.constant(false),
    }),
  judgeRun({ ends, files }, { tampers }) {
    const requiredRule =
      'findings.md F2: after any failure nothing unverified is at the destination, nothing temporary is left';
    const end = ends.at(-1);
    const violation = (observed: string, required: string) => ({
      observed,
      observedRule: end?.rule ?? '',
      required,
      requiredRule,
    });
    const own = files.contentAt(victim);
    if (own === null || own[0] !== contents.victim[0] || own[1] !== contents.victim[1]) {
      return violation(`${victim} was overwritten`, 'touch no other file');
    }
    if (end?.outcome !== 'refused') return null;
    const there = files.entries.get(destination);
    if (there?.kind === 'file' && !isGood(there.inode.content)) {
      return violation(
        `${contentText(there.inode.content)} is left at the destination`,
        'nothing unverified is left',
      );
    }
    const planted = tampers.some(({ on }) => on === 'predictable');
    const left = [...files.entries.keys()].find(
      (path) => path.startsWith(`${destination}.`) && !(planted && path === predictable),
    );
    return left === undefined ? null : violation(`${left} is left`, 'nothing temporary is left');
  },
});
