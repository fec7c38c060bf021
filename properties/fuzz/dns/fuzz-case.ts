/** One case of the fuzzer: what the guest sends, and what then arrives from upstream. */
import * as fc from 'fast-check';
import { randomness } from '../../arbitraries/dns.ts';
import { honestQuery, hostileQuery } from '../../arbitraries/dns-hostile-queries.ts';
import { type HostileReply, hostileReply } from '../../arbitraries/dns-hostile-replies.ts';
import type { DnsConfig } from '../../models/dns-session.ts';
import { defaultDnsPolicy } from '../../protocol/dns-policy.ts';

/** Shared objects, so that each policy is compiled once. */
export const configs: readonly DnsConfig[] = [
  defaultDnsPolicy,
  { ...defaultDnsPolicy, randomCase: false },
  { ...defaultDnsPolicy, ipv6: false },
  {
    ...defaultDnsPolicy,
    maxPinsPerAnswer: 2,
    denyCIDRs: ['8.8.8.0/24', '2a00:1450::/32'],
    nat64Prefixes: ['2606:2800::/32'],
  },
];

export interface FuzzCase {
  readonly side: 'guest' | 'upstream';
  readonly family: string;
  readonly config: DnsConfig;
  readonly transport: 'udp' | 'tcp';
  readonly random: { readonly id: number; readonly caseBits: string };
  readonly guest: Uint8Array;
  readonly reply: HostileReply | null;
  /** Judge each beginning of the message too, octet by octet. */
  readonly cuts: boolean;
  /** Least remaining life of the pins; null: one of them failed. */
  readonly remainingSeconds: number | null;
}

const common = {
  config: fc.constantFrom(...configs, defaultDnsPolicy, defaultDnsPolicy),
  transport: fc.constantFrom('udp' as const, 'tcp' as const),
  random: randomness,
  cuts: fc.constantFrom(false, false, false, false, false, false, false, true),
  remainingSeconds: fc.constantFrom(null, 0, 0.5, 29.9, 30, 45.5, 300, 2 ** 33),
};

const guestSide = fc.record({ ...common, query: hostileQuery() }).map(
  ({ query, ...rest }): FuzzCase => ({
    ...rest,
    side: 'guest',
    family: `query/${query.family}`,
    guest: query.octets,
    reply: null,
  }),
);

const upstreamSide = fc.record({ ...common, query: honestQuery, reply: hostileReply() }).map(
  ({ query, reply, ...rest }): FuzzCase => ({
    ...rest,
    side: 'upstream',
    family: `reply/${reply.family}`,
    guest: query.octets,
    reply,
  }),
);

/** Twice as many from upstream: more of the codec is behind that side. */
export const fuzzCase: fc.Arbitrary<FuzzCase> = fc.oneof(
  { weight: 1, arbitrary: guestSide },
  { weight: 2, arbitrary: upstreamSide },
);
