/** F1's claims on a server, each as the end of a sentence that begins with "never". */
import type { ClaimId } from '../blackbox/dns/claim-ids.ts';

export const claimSentences: Readonly<Record<ClaimId, string>> = {
  'F1.embedded': 'an IPv4 that is refused reaches the guest inside NAT64 64:ff9b::/96',
  'F1.6to4': 'an IPv4 that is refused reaches the guest inside 6to4',
  'F1.site-local': 'an address of fec0::/10 reaches the guest',
  'F1.embeddings': 'an IPv4 that is refused reaches the guest in any other embedding',
  'F1.special-purpose': 'a special-purpose address, or one outside 2000::/3, reaches the guest',
  'F1.cloud': 'an address of a cloud’s metadata or wire server reaches the guest',
  'F1.deny-cidr': 'an address of the operator’s own ranges reaches the guest',
  'F1.public': 'a public address is left out',
  'F1.chain': 'an address that QNAME does not lead to reaches the guest',
  'F1.source': 'a reply from elsewhere, or with another ID, is used or ends the wait',
  'F1.question': 'a reply to another question is used or ends the wait',
  'F1.covert': 'what else the guest says shows in what the upstream is asked',
  'F1.ttl': 'the guest may keep an address for longer than its owner says',
  'F1.hints': 'an address reaches the guest outside A and AAAA of ANSWER',
  'F1.labels': 'a name matches the allowlist without being on it',
  'F1.iff': 'an address is answered and not pinned, or pinned and not answered',
  'F1.teardown': 'the next sandbox inherits a pin',
  'F1.malformed': 'what is no query is forwarded, answered as one, or the last that is answered',
  'F1.bounds': 'one answer is bounded by nothing, or one client keeps another from its answers',
};
