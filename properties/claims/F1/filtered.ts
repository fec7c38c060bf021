/** F1.filtered: the address policy stands between every reply and the pins. */
import * as fc from 'fast-check';
import { addressArbitrary, policies } from '../../arbitraries/addresses.ts';
import { addressRecord, allowedName, dnsConfig } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  query,
  replyTo,
  textOfLabels,
  types,
} from '../../models/dns-message.ts';
import { type DnsConfig, pinEverything, runSession, type SessionScript } from '../../models/dns-session.ts';
import { addressNumber, intervalOf, within } from '../../oracles/addresses/address-number.ts';
import { requiredOf } from '../../oracles/addresses/address-oracle.ts';
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import { defineClaim } from '../claim.ts';
import { describeSession, fixedRandomness, honestExchangeWorks } from '../dns-claim.ts';

interface FilteredCase {
  readonly name: Labels;
  readonly config: DnsConfig;
  /** Of one family: A records, or AAAA records. */
  readonly addresses: readonly string[];
}

/** Shared objects, so that a subject compiles each policy once. */
const configs: readonly DnsConfig[] = policies.map((policy) => ({ ...dnsConfig, ...policy }));
const mapped = intervalOf('::ffff:0:0/96');
const isMapped = (address: string) => within(mapped, addressNumber(address));

function octetsOf(address: string): number[] {
  const { family, value } = addressNumber(address);
  const length = family === 4 ? 4 : 16;
  return Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 0xffn));
}

const typeOf = ({ addresses }: FilteredCase) =>
  addresses.some((address) => address.includes(':')) ? types.aaaa : types.a;

function scriptOf(input: FilteredCase): SessionScript {
  const { name, config, addresses } = input;
  const type = typeOf(input);
  const records = addresses.map((address) => addressRecord(name, type, octetsOf(address)));
  return {
    config,
    message: hexOf(encodeMessage(query(name, type))),
    transport: 'tcp',
    random: fixedRandomness,
    upstream: (sent) => [{ hex: hexOf(encodeMessage(replyTo(sent, records))) }],
    pin: pinEverything,
  };
}

const publicAmong = fc.constantFrom(
  '93.184.216.34',
  '2606:2800:220:1:248:1893:25c8:1946',
  '::ffff:93.184.216.34',
);

export const claim = defineClaim<FilteredCase>({
  id: 'F1.filtered',
  statement:
    'No address that the policy refuses is pinned or answered, whatever stands beside it in the reply; an ' +
    'IPv4-mapped one is never pinned as IPv6.',
  source: 'findings.md F1, reference, addresses (1); RFC 4291 section 2.5.5.2',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  // Without operator entries, which the older filters do not have: what they pass by themselves comes first.
  examples: () =>
    [['168.63.129.16'], ['64:ff9b::a9fe:a9fe'], ['93.184.216.34', '0.0.0.1']].map((addresses) => ({
      name: ['example', 'com'],
      config: dnsConfig,
      addresses,
    })),
  arbitrary: () =>
    fc
      .record({
        name: allowedName,
        config: fc.constantFrom(...configs),
        addresses: fc.array(
          fc.oneof({ weight: 3, arbitrary: addressArbitrary }, { weight: 1, arbitrary: publicAmong }),
          { minLength: 1, maxLength: 3 },
        ),
      })
      .map(({ addresses, ...rest }) => {
        const isIpv6 = addresses[0]?.includes(':') ?? false;
        return { ...rest, addresses: addresses.filter((address) => address.includes(':') === isIpv6) };
      }),
  control: honestExchangeWorks,
  judge(subject, input) {
    const session = runSession(subject, scriptOf(input));
    const { config } = input;
    for (const address of new Set(session.pins.map((pin) => pin.address))) {
      const { mayPin, rule } = requiredOf(config, address);
      if (mayPin && !(address.includes(':') && isMapped(address))) continue;
      return {
        observed: `pins ${address}`,
        observedRule: session.rule,
        required: mayPin ? 'pin it as its IPv4 or not at all' : 'pin nothing of it',
        requiredRule: mayPin ? '::ffff:0:0/96 is its IPv4, RFC 4291' : rule,
      };
    }
    const answered = session.answer === null ? [] : (decodeAnswer(session.answer)?.addresses ?? []);
    for (const { address } of answered) {
      const { mayPin, rule } = requiredOf(config, address);
      if (mayPin) continue;
      const observedRule = session.rule;
      return { observed: `answers ${address}`, observedRule, required: 'leave it out', requiredRule: rule };
    }
    return null;
  },
  notation({ name, config, addresses }) {
    const { denyCIDRs, nat64Prefixes, pinPrivateCIDRs } = config;
    const policy = Object.entries({ denyCIDRs, nat64Prefixes, pinPrivateCIDRs })
      .filter(([, entries]) => entries.length > 0)
      .map(([field, entries]) => `${field} ${entries.join(' ')}`);
    return [`${textOfLabels(name)} is ${addresses.join(' ')}`, ...policy].join('; ');
  },
  observe: (subject, input) => describeSession(runSession(subject, scriptOf(input))),
});
