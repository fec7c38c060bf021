/** F6's claims on a guest, each as the end of a sentence that begins with "never". */
import type { ClaimId } from '../blackbox/guest/claim-ids.ts';

export const claimSentences: Readonly<Record<ClaimId, string>> = {
  'F6.diverged': 'two forks of one snapshot share random octets',
  'F6.reported': 'an agent reports success while its fork has not diverged',
  'F6.userspace': 'a process that was alive at the snapshot draws the same in two forks',
  'F6.witness': 'an answer that the gate refuses, or a line that keeps the agent from answering',
  'F6.single-use': 'a seed, nonce or generation that was used, or is too short, is taken',
  'F6.order': 'a program runs, or a release passes, before the gate',
  'F6.fresh': 'a seed is written where others read it',
  'F6.credited': 'an agent that cannot credit a seed reports success',
};
