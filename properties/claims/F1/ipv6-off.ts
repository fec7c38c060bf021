/** F1.ipv6-off: the IPv6 option is off unless it is on, at every step of an exchange. */
import * as fc from 'fast-check';
import {
  addressRecord,
  allowedName,
  cname,
  dnsConfig,
  publicAddress,
  randomness,
} from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  query,
  replyTo,
  textOfLabels,
  types,
} from '../../models/dns-message.ts';
import { type DnsConfig, pinEverything } from '../../models/dns-session.ts';
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { honestExchangeWorks } from '../dns-claim.ts';

interface OptionCase {
  readonly name: Labels;
  readonly random: { readonly id: number; readonly caseBits: string };
  readonly address: readonly number[];
  readonly aliased: boolean;
  readonly transport: 'udp' | 'tcp';
}

const optionOff: DnsConfig = { ...dnsConfig, ipv6: false };

/** Both steps apart: a proxy that lets the question through must not pin the answer either. */
function exchangeOn(
  subject: Subject,
  config: DnsConfig,
  { name, random, address, aliased, transport }: OptionCase,
) {
  const message = hexOf(encodeMessage(query(name, types.aaaa)));
  const asked = subject.decide('dns-query', config)({ message, transport, random });
  const alias: Labels = ['alias', 'cdn', 'net'];
  const records = aliased
    ? [cname(name, alias), addressRecord(alias, types.aaaa, address)]
    : [addressRecord(name, types.aaaa, address)];
  const build = subject.decide('dns-build', config);
  const common = { query: message, reply: hexOf(encodeMessage(replyTo(message, records))), transport };
  const { pins, rule } = build({ ...common, outcomes: null });
  const { answer } = build({ ...common, outcomes: pinEverything(pins) });
  const answered = answer === null ? [] : (decodeAnswer(answer)?.addresses ?? []);
  const direct = asked.verdict === 'answer' ? decodeAnswer(asked.message ?? '') : null;
  return { asked, direct, pins, answered, rule };
}

export const claim = defineClaim<OptionCase>({
  id: 'F1.ipv6-off',
  statement:
    'With the IPv6 option off AAAA is NODATA: it goes not upstream, and no IPv6 address is pinned or answered.',
  source: 'findings.md F4, reference: "off by default, then AAAA is NODATA and nothing enters the v6 set"',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  // The published proxy has no such option.
  expected: {
    decision: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
    kernel: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
    vm: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
  },
  weight: 0.5,
  arbitrary: () =>
    fc.record({
      name: allowedName,
      random: randomness,
      address: publicAddress(types.aaaa),
      aliased: fc.boolean(),
      transport: fc.constantFrom('udp' as const, 'tcp' as const),
    }),
  control(subject) {
    const on = exchangeOn(subject, dnsConfig, {
      name: ['example', 'com'],
      random: { id: 1, caseBits: '00'.repeat(32) },
      address: [0x26, 0x06, 0x28, 0, 2, 0x20, 0, 1, 2, 0x48, 0x18, 0x93, 0x25, 0xc8, 0x19, 0x46],
      aliased: true,
      transport: 'udp',
    });
    if (on.asked.verdict !== 'forward') return 'with the option on AAAA is not forwarded';
    if (on.pins.length === 0 || on.answered.length === 0)
      return 'with the option on AAAA is not pinned and answered';
    return honestExchangeWorks(subject);
  },
  judge(subject, input) {
    const { asked, direct, pins, answered, rule } = exchangeOn(subject, optionOff, input);
    const violation = (observed: string, observedRule: string) => ({
      observed,
      observedRule,
      required: 'NODATA, nothing upstream, nothing pinned',
      requiredRule: 'the IPv6 option is off, findings.md F4',
    });
    if (direct?.rcode !== 'NOERROR' || direct.addresses.length > 0)
      return violation(`${asked.verdict} ${direct?.rcode ?? ''}`.trim(), asked.rule);
    if (pins.length > 0) return violation(`pins ${pins[0]?.address}`, rule);
    return answered.length > 0 ? violation(`answers ${answered[0]?.address}`, rule) : null;
  },
  notation: ({ name, address, aliased, transport }) =>
    `${textOfLabels(name)} AAAA over ${transport}, option off; ${aliased ? 'an alias of ' : ''}${hexOf(address)}`,
  observe(subject, input) {
    const { asked, pins, rule } = exchangeOn(subject, optionOff, input);
    return `${asked.verdict}  [${asked.rule}]; then ${pins.length} pins  [${rule}]`;
  },
});
