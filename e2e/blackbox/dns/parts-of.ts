/** Every part of every claim that a black box can show, in the order in which they are asked. */
import { chosenParts, isMissing } from '../chosen-parts.ts';
import type { Missing, Part } from './part.ts';
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
  const remedy =
    'copy it from a replay line with its --claim, --seed and --runs; --corpus lists those that are published';
  return chosenParts(all, settings, { code: 'bad-dns-flag', remedy });
}

/** Those that are the same in every run: the published corpus. */
export function corpusParts(settings: Settings): Part[] {
  return partsOf(settings).filter(
    (part): part is Part => !isMissing(part) && !part.id.startsWith('generated/'),
  );
}
