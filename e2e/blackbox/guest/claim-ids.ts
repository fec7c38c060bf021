/** The claims of F6 that a black box can show. */
export const claimIds = [
  'F6.diverged',
  'F6.reported',
  'F6.userspace',
  'F6.witness',
  'F6.single-use',
  'F6.order',
  'F6.fresh',
  'F6.credited',
] as const;
export type ClaimId = (typeof claimIds)[number];
