/** F1.chain: nothing is pinned but what QNAME leads to. */
import * as fc from 'fast-check';
import { addressType, allowedName, dnsConfig, otherNames, recordAbout } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  flags,
  hexOf,
  type Labels,
  type ModelRecord,
  query,
  replyTo,
  textOfLabels,
  textOfRecord,
  typeName,
} from '../../models/dns-message.ts';
import { pinEverything, runSession, type SessionScript } from '../../models/dns-session.ts';
import { addressText } from '../../oracles/addresses/address-number.ts';
import { type ReadMessage, readStrictly } from '../../oracles/dns/strict-reader.ts';
import { defineClaim } from '../claim.ts';
import { describeSession, fixedRandomness, honestExchangeWorks } from '../dns-claim.ts';

interface ChainCase {
  readonly name: Labels;
  readonly type: number;
  readonly records: readonly ModelRecord[];
  readonly code: number;
  readonly truncated: boolean;
}

function scriptOf({ name, type, records, code, truncated }: ChainCase): SessionScript {
  return {
    config: dnsConfig,
    message: hexOf(encodeMessage(query(name, type))),
    transport: 'tcp',
    random: fixedRandomness,
    upstream(sent, transport) {
      // A truncated reply is never completed: what it holds must not be used.
      if (truncated && transport === 'tcp') return [];
      const reply = replyTo(sent, records, code);
      return [
        { hex: hexOf(encodeMessage(truncated ? { ...reply, flags: reply.flags | flags.truncated } : reply)) },
      ];
    },
    pin: pinEverything,
  };
}

/** Addresses of the asked type, class IN, owned by QNAME or by what its CNAME records lead to. */
function reachable(message: ReadMessage, { name, type, code, truncated }: ChainCase): Set<string> {
  if (code !== 0 || truncated) return new Set();
  const answers = message.sections[0] ?? [];
  const owners = new Set([name.join('\0').toLowerCase()]);
  for (let size = 0; size !== owners.size; ) {
    size = owners.size;
    for (const { owner, class: recordClass, target } of answers) {
      if (target !== null && recordClass === 1 && owners.has(owner.join('\0'))) owners.add(target.join('\0'));
    }
  }
  const found = answers.filter(
    (record) => record.type === type && record.class === 1 && owners.has(record.owner.join('\0')),
  );
  return new Set(found.map(({ data }) => addressText(numberOf(data))));
}

function numberOf(data: readonly number[]) {
  const value = data.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  return { family: data.length === 4 ? (4 as const) : (6 as const), value };
}

export const claim = defineClaim<ChainCase>({
  id: 'F1.chain',
  statement:
    'Only IN A/AAAA of the asked type, reached from QNAME by the CNAME chain, from NOERROR, and not from a truncated ' +
    'message, are pinned.',
  source: 'RFC 1034 section 3.6.2, RFC 2181 section 5.4.1, RFC 5452 section 6; findings.md F1',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () =>
    allowedName.chain((name) =>
      fc.record({
        name: fc.constant(name),
        type: addressType,
        records: fc.array(recordAbout([name, ...otherNames.slice(0, 3), ['alias', 'cdn', 'net']]), {
          minLength: 1,
          maxLength: 6,
        }),
        code: fc.oneof(
          { weight: 6, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.constantFrom(2, 3, 5) },
        ),
        truncated: fc.oneof(
          { weight: 8, arbitrary: fc.constant(false) },
          { weight: 1, arbitrary: fc.constant(true) },
        ),
      }),
    ),
  control: honestExchangeWorks,
  judge(subject, input) {
    const script = scriptOf(input);
    const session = runSession(subject, script);
    if (session.pins.length === 0) return null;
    const sent = session.upstreamQuery ?? '';
    const message = readStrictly(Buffer.from(script.upstream(sent, 'udp')[0]?.hex ?? '', 'hex'));
    const may = message === null ? new Set() : reachable(message, input);
    const wrong = session.pins.find(({ address }) => !may.has(address));
    if (wrong === undefined) return null;
    return {
      observed: `pins ${wrong.address}`,
      observedRule: session.rule,
      required: may.size === 0 ? 'pin nothing' : `pin nothing but ${[...may].join(' ')}`,
      requiredRule: 'the CNAME chain from QNAME, RFC 1034 section 3.6.2',
    };
  },
  notation: ({ name, type, records, code, truncated }) =>
    [
      `${textOfLabels(name)} ${typeName(type)} ?  reply RCODE ${code}${truncated ? ' TC=1' : ''}`,
      ...records.map(textOfRecord),
    ].join('\n'),
  observe: (subject, input) => describeSession(runSession(subject, scriptOf(input))),
});
