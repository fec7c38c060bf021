/**
 * The corpus of stagings: what lies there, what the download brings, what the operator typed, and what must
 * come of it.
 */
import { goodDigest, malformedDigests, plainStaging, verified } from '../../arbitraries/staging.ts';
import { contents, digestOf } from '../../models/staged-files.ts';
import { downloads, type StagingCase, tampers } from '../../models/stager.ts';

export interface StagedVector {
  readonly id: string;
  readonly comment: string;
  /** The files, the download and who interferes: `properties/models/stager.ts` carries it out. */
  readonly input: StagingCase;
  /** How each phase ends. */
  readonly verdict: readonly ('staged' | 'booted' | 'refused')[];
  /** The file that boots, by its SHA-256; null: none. */
  readonly boots: string | null;
  readonly rule: string;
  readonly source: string;
  /** `negative`: nothing is booted. */
  readonly flags: readonly string[];
}

const cachedKinds: readonly StagingCase['cached'][] = [
  'nothing',
  'good',
  'evil',
  'empty',
  'half',
  'symlink',
  'fifo',
  'directory',
];

function vector(
  id: string,
  comment: string,
  change: Partial<StagingCase>,
  good: boolean,
  rule: string,
): StagedVector {
  const input = { ...plainStaging, ...change };
  const verdict = input.phases.map((phase) => (good ? (phase === 'stage' ? 'staged' : 'booted') : 'refused'));
  const boots = good && input.phases.includes('open') ? digestOf(contents.good) : null;
  return {
    id,
    comment,
    input,
    verdict,
    boots,
    rule,
    source: 'findings.md F2, reference',
    flags: good ? [] : ['negative'],
  };
}

/** Right digest: what is there counts when it is the file, else what the download brings. */
function cachedTimesDownload(): StagedVector[] {
  return cachedKinds.flatMap((cached) =>
    downloads.map((download) => {
      const good = cached === 'good' || (cached !== 'directory' && download === 'good');
      const rule =
        cached === 'directory' ? 'a directory at the destination is refused' : 'the digest names the file';
      return vector(
        `cached/${cached}/download/${download}`,
        `${cached} at the destination, the download: ${download}`,
        { cached, download },
        good,
        rule,
      );
    }),
  );
}

function digests(): StagedVector[] {
  const rule = 'a digest is exactly 64 hex digits, either case';
  const typed = (sha256: string, allowUnverified = false) => ({
    config: { ...verified, sha256, allowUnverified },
  });
  return [
    vector('digest/upper-case', 'upper case', typed(goodDigest.toUpperCase()), true, rule),
    ...malformedDigests.map((sha256) =>
      vector(`digest/${JSON.stringify(sha256)}`, 'a digest that is none', typed(sha256), false, rule),
    ),
    ...malformedDigests
      .slice(0, 4)
      .map((sha256) =>
        vector(
          `digest-allow-unverified/${JSON.stringify(sha256)}`,
          'allowUnverified does not excuse a malformed digest',
          typed(sha256, true),
          false,
          rule,
        ),
      ),
    vector('digest/unset', 'no digest', typed(''), false, 'an unset digest needs allowUnverified: true'),
    vector(
      'digest/unset-allowed',
      'no digest, allowed',
      typed('', true),
      true,
      'an unset digest needs allowUnverified: true',
    ),
  ];
}

/** A good file is staged, then somebody acts, then a VM boots. */
function changedBeforeBoot(): StagedVector[] {
  const harmless = ['directory'];
  return tampers.map((how) => {
    const input = {
      ...plainStaging,
      phases: ['stage', 'open'] as const,
      tampers: [{ at: 10, how, on: 'destination' as const }],
    };
    const stays = harmless.includes(how);
    return {
      id: `between/${how}`,
      comment: `${how} of the destination between staging and boot`,
      input,
      verdict: ['staged', stays ? 'booted' : 'refused'] as const,
      boots: stays ? digestOf(contents.good) : null,
      rule: 'what is booted is what was hashed',
      source: 'findings.md F2, residual: verify-then-use window',
      flags: stays ? [] : ['negative'],
    };
  });
}

export function generate() {
  return {
    $schema: 'schemas/staged-files.schema.json',
    corpus: 'staged-files',
    version: 1,
    source: 'findings.md F2; memfd_create(2), rename(2), open(2)',
    notes: [
      'verdict: one end for each phase. boots: SHA-256 of the kernel that boots, or null.',
      'cached: what is at the destination beforehand; symlink points to another file that must stay as it is.',
      'tampers: before step `at` of the whole run somebody acts; steps are those of the reference.',
    ],
    vectors: [...cachedTimesDownload(), ...digests(), ...changedBeforeBoot()],
  };
}
