/** Every part of every claim that a black box can show, in the order in which they are asked. */
import { CodedError } from '#reference/base/coded-error.ts';
import { type ClaimId, claimIds } from './claim-ids.ts';
import { isMissing, type Missing, type Part } from './part.ts';
import { addressParts } from './parts/addresses.ts';
import { boundParts } from './parts/bounds.ts';
import { chainParts } from './parts/chain.ts';
import { covertParts } from './parts/covert.ts';
import { forgeryParts } from './parts/forgeries.ts';
import { hintParts } from './parts/hints.ts';
import { labelParts } from './parts/labels.ts';
import { lifetimeParts } from './parts/lifetimes.ts';
import { malformedParts } from './parts/malformed.ts';
import { pinParts } from './parts/pins.ts';
import type { Settings } from './settings.ts';

export function partsOf(settings: Settings): (Part | Missing)[] {
  const all = [
    ...addressParts(settings),
    ...chainParts(settings),
    ...forgeryParts(),
    ...covertParts(),
    ...lifetimeParts(),
    ...hintParts(),
    ...labelParts(settings),
    ...pinParts(settings),
    ...malformedParts(settings),
    ...boundParts(),
  ];
  const { claims, parts } = settings;
  const chosen = claimIds.flatMap((claim) =>
    claims.includes(claim) ? all.filter((part) => part.claim === claim) : [],
  );
  if (parts === null) return chosen;
  const lost = parts.find((id) => !chosen.some((part) => part.id === id));
  if (lost === undefined) return chosen.filter(({ id }) => parts.includes(id));
  throw new CodedError(
    'bad-dns-flag',
    `--part ${lost} is no part of ${claims.join(', ')}`,
    'copy it from a replay line with its --claim, --seed and --runs; --corpus lists those that are published',
  );
}

/** Those that are the same in every run: the published corpus. */
export function corpusParts(settings: Settings): Part[] {
  return partsOf(settings).filter(
    (part): part is Part => !isMissing(part) && !part.id.startsWith('generated/'),
  );
}

/** Throws CodedError `unknown-claim`. */
export function claimsNamed(names: readonly string[]): readonly ClaimId[] {
  if (names.length === 0) return claimIds;
  for (const name of names) {
    if ((claimIds as readonly string[]).includes(name)) continue;
    throw new CodedError(
      'unknown-claim',
      `pnpm check dns judges no claim ${name}`,
      `choose of ${claimIds.join(', ')}`,
    );
  }
  return claimIds.filter((claim) => names.includes(claim));
}
