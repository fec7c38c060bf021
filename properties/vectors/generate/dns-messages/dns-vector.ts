/** One vector of the corpus of DNS messages. */

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
