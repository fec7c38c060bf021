/** The corpus of DNS messages: what a guest may send, what an upstream may send, and what must come of it. */
import { dnsConfig } from '../../arbitraries/dns.ts';
import type { DnsConfig } from '../../models/dns-session.ts';
import { answerVectors } from './dns-messages/answers.ts';
import { queryVectors } from './dns-messages/queries.ts';
import { replyVectors } from './dns-messages/replies.ts';

export interface DnsVector {
  readonly id: string;
  readonly comment: string;
  readonly decision: 'dns-query' | 'dns-reply' | 'dns-build';
  /** As in the protocol of the decision; `config` of the corpus applies. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly verdict: string;
  /** dns-query answered at once, dns-build: the RCODE of the answer. */
  readonly rcode?: string;
  /** dns-build: `address protocol port ttlSeconds` of each element. */
  readonly pins?: readonly string[];
  /** dns-build: `address ttl` of each record in the answer once every pin is made. */
  readonly answer?: readonly string[];
  readonly rule: string;
  readonly source: string;
  /** `negative`: nothing of it may be used. */
  readonly flags: readonly string[];
}

export function generate() {
  const config: DnsConfig = dnsConfig;
  return {
    $schema: 'schemas/dns-messages.schema.json',
    corpus: 'dns-messages',
    version: 1,
    source: 'RFC 1035, RFC 2181, RFC 4343, RFC 5452, RFC 6891, RFC 9267, RFC 9460',
    notes: [
      'Messages are hex. Every vector is judged under the config below.',
      'dns-build: every pin is made, for as long as was asked; answer holds what the guest gets then.',
    ],
    config,
    vectors: [...queryVectors(), ...replyVectors(), ...answerVectors()],
  };
}
