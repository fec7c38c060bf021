/** F1.hints: no address reaches the guest but the answered ones. */
import * as fc from 'fast-check';
import { addressRecord, addressType, allowedName, dnsConfig } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
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
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import { defineClaim } from '../claim.ts';
import { describeSession, fixedRandomness, honestExchangeWorks } from '../dns-claim.ts';

interface HintsCase {
  readonly name: Labels;
  readonly type: number;
  readonly answers: readonly ModelRecord[];
  readonly authority: readonly ModelRecord[];
  readonly additional: readonly ModelRecord[];
}

function scriptOf({ name, type, ...sections }: HintsCase): SessionScript {
  return {
    config: dnsConfig,
    message: hexOf(encodeMessage(query(name, type))),
    transport: 'tcp',
    random: fixedRandomness,
    upstream: (sent) => [{ hex: hexOf(encodeMessage({ ...replyTo(sent, []), ...sections })) }],
    pin: pinEverything,
  };
}

/** SvcPriority 1, target ".", ipv4hint 10.0.0.1 (RFC 9460 section 7.3). */
const svcbWithHint = [0, 1, 0, 0, 4, 0, 4, 10, 0, 0, 1];
const metadata = [169, 254, 169, 254];

function smuggled(name: Labels): fc.Arbitrary<ModelRecord> {
  const owner = fc.constantFrom<Labels>(name, ['ns', 'attacker', 'net']);
  const shape = fc.constantFrom<Pick<ModelRecord, 'type' | 'data'>>(
    { type: types.https, data: { raw: svcbWithHint } },
    { type: types.svcb, data: { raw: svcbWithHint } },
    { type: types.txt, data: { raw: [9, ...Buffer.from('10.0.0.1x')] } },
    { type: types.a, data: { address: metadata } },
    { type: types.ns, data: { target: ['ns', 'attacker', 'net'] } },
  );
  return fc
    .tuple(owner, shape)
    .map(([recordOwner, own]) => ({ owner: recordOwner, class: 1, ttl: 60, ...own }));
}

export const claim = defineClaim<HintsCase>({
  id: 'F1.hints',
  statement: 'HTTPS/SVCB and AUTHORITY/ADDITIONAL never carry an address to the guest.',
  source: 'RFC 9460 section 7.3, RFC 2181 section 5.4.1; findings.md F1',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  arbitrary: () =>
    allowedName.chain((name) =>
      fc.record({
        name: fc.constant(name),
        type: fc.oneof(
          { weight: 4, arbitrary: addressType },
          { weight: 1, arbitrary: fc.constantFrom<number>(types.https, types.svcb, types.txt, types.any) },
        ),
        answers: fc
          .array(smuggled(name), { maxLength: 2 })
          .map((records) => [addressRecord(name, types.a, [93, 184, 216, 34]), ...records]),
        authority: fc.array(smuggled(name), { maxLength: 2 }),
        additional: fc.array(smuggled(name), { maxLength: 2 }),
      }),
    ),
  control: honestExchangeWorks,
  judge(subject, input) {
    const session = runSession(subject, scriptOf(input));
    const isAddressType = input.type === types.a || input.type === types.aaaa;
    if (session.upstreamQuery !== null && !isAddressType) {
      return {
        observed: `${typeName(input.type)} goes upstream`,
        observedRule: session.rule,
        required: 'only A and AAAA go upstream',
        requiredRule: 'findings.md F1, reference, messages',
      };
    }
    if (session.answer === null) return null;
    const decoded = decodeAnswer(session.answer);
    if (decoded === null) {
      return {
        observed: 'an answer that dns-packet cannot read',
        required: 'a well-formed answer',
        requiredRule: 'RFC 1035',
      };
    }
    const known = new Set(session.pins.map(({ address }) => address));
    const unpinned = decoded.addresses
      .filter(({ address }) => !known.has(address))
      .map(({ address }) => address);
    const foreign = [...decoded.foreign, ...unpinned];
    if (foreign.length === 0) return null;
    return {
      observed: `the guest gets ${foreign.join(', ')}`,
      observedRule: session.rule,
      required: 'CNAME and pinned A/AAAA in ANSWER, nothing else',
      requiredRule: 'findings.md F1: rebuild the answer from scratch',
    };
  },
  notation: ({ name, type, answers, authority, additional }) =>
    [
      `${textOfLabels(name)} ${typeName(type)} ?`,
      ...answers.map((record) => `ANSWER ${textOfRecord(record)}`),
      ...authority.map((record) => `AUTHORITY ${textOfRecord(record)}`),
      ...additional.map((record) => `ADDITIONAL ${textOfRecord(record)}`),
    ].join('\n'),
  observe: (subject, input) => describeSession(runSession(subject, scriptOf(input))),
});
