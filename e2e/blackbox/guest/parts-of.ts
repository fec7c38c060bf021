/** Every part of every claim that a black box can show, in the order in which they are asked. */
import { chosenParts } from '../chosen-parts.ts';
import type { Missing, Part } from './part.ts';
import { divergedParts } from './parts/diverged.ts';
import { lineParts } from './parts/lines.ts';
import { orderParts } from './parts/order.ts';
import { creditedParts, freshParts } from './parts/secrecy.ts';
import { singleUseParts } from './parts/single-use.ts';
import { witnessParts } from './parts/witness.ts';
import type { Settings } from './settings.ts';

export function partsOf(settings: Settings): (Part | Missing)[] {
  const ofAgent = [
    ...witnessParts,
    ...lineParts(settings),
    ...singleUseParts,
    ...orderParts(settings),
    ...freshParts(settings),
  ];
  const all = [
    ...divergedParts(settings),
    ...(settings.agents.length > 0 ? ofAgent : ofAgent.map(withoutAgent)),
    ...creditedParts(settings),
  ];
  const remedy = 'copy it from a replay line with its --claim; --dry-run lists them';
  return chosenParts(all, settings, { code: 'bad-guest-flag', remedy });
}

const withoutAgent = ({ claim, id, never }: Part | Missing): Missing => ({
  ...{ claim, id, never },
  reason: 'no agent was named',
  give: '--agent ENDPOINT for each fork',
});
