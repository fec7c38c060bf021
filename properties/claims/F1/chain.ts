/** F1.chain: nothing is pinned but what QNAME leads to. */
import * as fc from 'fast-check';
import {
  addressRecord,
  addressType,
  allowedName,
  cname,
  dnsConfig,
  otherNames,
  recordAbout,
} from '../../arbitraries/dns.ts';
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
  types,
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
  /** RCODE; over 15 an OPT record holds the rest of it (RFC 6891 section 6.1.3). */
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
      const opt = { owner: [], type: types.opt, class: 1_232, ttl: (code >> 4) * 2 ** 24, data: { raw: [] } };
      const reply = { ...replyTo(sent, records, code & 15), additional: code > 15 ? [opt] : [] };
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

const aliases: readonly Labels[] = [['alias', 'cdn', 'net'], ['attacker', 'net'], ['com']];

/** What an honest server would say: some aliases, then an address. Attacks stand among it. */
function honestRecords(name: Labels, type: number, hops: number): ModelRecord[] {
  const owners = [name, ...aliases.slice(0, hops)];
  const links = owners.slice(1).map((target, index) => cname(owners[index] ?? name, target));
  const address =
    type === types.aaaa ? [0x26, 6, 0x28, 0, 2, 0x20, ...Array.from({ length: 10 }, () => 7)] : [8, 8, 4, 4];
  return [...links, addressRecord(owners.at(-1) ?? name, type, address)];
}

const mostly = <Value>(usual: Value, ...others: Value[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

function chainCase(name: Labels, type: number): fc.Arbitrary<ChainCase> {
  const attack = fc.array(recordAbout([name, ...aliases, ...otherNames.slice(2, 3)]), {
    minLength: 1,
    maxLength: 3,
  });
  const honest = fc.constantFrom<ModelRecord[]>(
    [],
    ...[0, 1, 2, 3].map((hops) => honestRecords(name, type, hops)),
  );
  return fc
    .record({
      attack,
      honest,
      honestFirst: fc.boolean(),
      code: mostly(0, 2, 3, 5, 16, 19),
      truncated: mostly(false, true),
    })
    .map(({ attack: hostile, honest: plain, honestFirst, ...rest }) => ({
      name,
      type,
      records: honestFirst ? [...plain, ...hostile] : [...hostile, ...plain],
      ...rest,
    }));
}

export const claim = defineClaim<ChainCase>({
  id: 'F1.chain',
  statement:
    'Only IN A/AAAA of the asked type, reached from QNAME by the CNAME chain, from NOERROR, and not from a truncated ' +
    'message, are pinned.',
  source: 'RFC 1034 section 3.6.2, RFC 2181 section 5.4.1, RFC 5452 section 6; findings.md F1',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  arbitrary: () => fc.tuple(allowedName, addressType).chain(([name, type]) => chainCase(name, type)),
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
