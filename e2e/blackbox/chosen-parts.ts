/** What checks of resolvers and of guests do alike with parts: which are asked, and what a missing input is. */
import { CodedError } from '#reference/base/coded-error.ts';

/** Nobody said what the part needs, or nobody outside can see it. */
export interface Missing<Claim extends string> {
  readonly claim: Claim;
  readonly id: string;
  readonly never: string;
  readonly reason: string;
  readonly give: string;
}

export function isMissing<Part extends object>(
  part: Part,
): part is Extract<Part, { readonly reason: string }> {
  return 'reason' in part;
}

/** Throws CodedError `unknown-claim`. @param check the word behind `pnpm check` */
export function claimsNamed<Claim extends string>(
  claimIds: readonly Claim[],
  names: readonly string[],
  check: string,
): readonly Claim[] {
  if (names.length === 0) return claimIds;
  for (const name of names) {
    if ((claimIds as readonly string[]).includes(name)) continue;
    throw new CodedError(
      'unknown-claim',
      `pnpm check ${check} judges no claim ${name}`,
      `choose of ${claimIds.join(', ')}`,
    );
  }
  return claimIds.filter((claim) => names.includes(claim));
}

/** By claim, in their order; throws CodedError `code` for an id that none has. */
export function chosenParts<Part extends { readonly claim: string; readonly id: string }>(
  all: readonly Part[],
  { claims, parts }: { readonly claims: readonly string[]; readonly parts: readonly string[] | null },
  { code, remedy }: { readonly code: string; readonly remedy: string },
): Part[] {
  const chosen = claims.flatMap((claim) => all.filter((part) => part.claim === claim));
  if (parts === null) return chosen;
  const lost = parts.find((id) => !chosen.some((part) => part.id === id));
  if (lost === undefined) return chosen.filter(({ id }) => parts.includes(id));
  throw new CodedError(code, `--part ${lost} is no part of ${claims.join(', ')}`, remedy);
}
