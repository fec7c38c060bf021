/** The reference's authorize-claim behind the subject protocol. */
import { authorizeClaim as decide } from '#reference/decisions/authorize-claim/authorize-claim.ts';
import type { authorizeClaim } from '../../protocol/authorize-claim.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';

export const bind: Bind<typeof authorizeClaim> = (config) => (input) =>
  // The protocol's types are mutable, the reference's are not; nothing here or there changes them.
  decide(config, input) as OutputOf<typeof authorizeClaim>;
