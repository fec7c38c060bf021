/** The corpus of DNS messages: what a guest may send, what an upstream may send, and what must come of it. */
import { dnsConfig } from '../../arbitraries/dns.ts';
import type { DnsConfig } from '../../models/dns-session.ts';
import { answerVectors } from './dns-messages/answers.ts';
import { queryVectors } from './dns-messages/queries.ts';
import { replyVectors } from './dns-messages/replies.ts';

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
