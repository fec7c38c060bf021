/** Every part of every claim that a black box can show, in the order in which they are asked. */
import { CodedError } from '#reference/base/coded-error.ts';
import { type ClaimId, claimIds } from './claim-ids.ts';
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
  const { claims, parts } = settings;
  const chosen = claimIds.flatMap((claim) =>
    claims.includes(claim) ? all.filter((part) => part.claim === claim) : [],
  );
  if (parts === null) return chosen;
  const lost = parts.find((id) => !chosen.some((part) => part.id === id));
  if (lost === undefined) return chosen.filter(({ id }) => parts.includes(id));
  throw new CodedError(
    'bad-guest-flag',
    `--part ${lost} is no part of ${claims.join(', ')}`,
    'copy it from a replay line with its --claim; --dry-run lists them',
  );
}

const withoutAgent = ({ claim, id, never }: Part | Missing): Missing => ({
  ...{ claim, id, never },
  reason: 'no agent was named',
  give: '--agent ENDPOINT for each fork',
});

/** Throws CodedError `unknown-claim`. */
export function claimsNamed(names: readonly string[]): readonly ClaimId[] {
  if (names.length === 0) return claimIds;
  for (const name of names) {
    if ((claimIds as readonly string[]).includes(name)) continue;
    throw new CodedError(
      'unknown-claim',
      `pnpm check guest judges no claim ${name}`,
      `choose of ${claimIds.join(', ')}`,
    );
  }
  return claimIds.filter((claim) => names.includes(claim));
}
