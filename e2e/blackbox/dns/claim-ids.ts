/** The claims of F1 that a black box can show. */
export const claimIds = [
  'F1.embedded',
  'F1.6to4',
  'F1.site-local',
  'F1.embeddings',
  'F1.special-purpose',
  'F1.cloud',
  'F1.deny-cidr',
  'F1.public',
  'F1.chain',
  'F1.source',
  'F1.question',
  'F1.covert',
  'F1.ttl',
  'F1.hints',
  'F1.labels',
  'F1.iff',
  'F1.teardown',
  'F1.malformed',
  'F1.bounds',
] as const;
export type ClaimId = (typeof claimIds)[number];
