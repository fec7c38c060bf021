/** F1.hints: the guest gets addresses from A and AAAA in ANSWER, and from nowhere else. */
import {
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  typeName,
  types,
} from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import { exchangePart } from '../exchange-part.ts';
import { type Part, silent } from '../part.ts';
import { answerWords, octetsOf } from '../received.ts';
import { addressRecordOf, answersWith, type Exchange } from '../stage.ts';

const metadata = '169.254.169.254';
const wrapped = '64:ff9b::a9fe:a9fe';
const elsewhere = '8.8.4.4';
const own = '93.184.216.34';

const parameter = (key: number, value: readonly number[]) => [0, key, 0, value.length, ...value];

/** SvcPriority 1, TargetName ".", hints in the order of their keys (RFC 9460 sections 2.2, 7.3). */
function service(owner: Labels, type: number, hints: readonly string[]): ModelRecord {
  const values = hints.flatMap((address) => parameter(address.includes(':') ? 6 : 4, octetsOf(address)));
  return { owner, type, class: 1, ttl: 60, data: { raw: [0, 1, 0, ...values] } };
}

interface Smuggle {
  readonly id: string;
  readonly sends: string;
  readonly clause: string;
  readonly type: number;
  readonly records: (name: Labels) => readonly ModelRecord[];
  readonly change?: (name: Labels) => (reply: ModelMessage) => ModelMessage;
}

const glue = (name: Labels, address: string): ModelRecord => addressRecordOf(['ns', ...name], address);
const ns = (name: Labels): ModelRecord => ({
  owner: name,
  type: types.ns,
  class: 1,
  ttl: 60,
  data: { target: ['ns', ...name] },
});
const svcb = 'RFC 9460 section 7.3';
const sections = 'RFC 2181 section 5.4.1';

const smuggles: readonly Smuggle[] = [
  ...([types.https, types.svcb] as const).flatMap((type): Smuggle[] =>
    (
      [
        ['private', 'an ipv4hint and an ipv6hint of cloud metadata', [metadata, wrapped]],
        ['public', 'an ipv4hint of a public address', [elsewhere]],
      ] as const
    ).map(([id, sends, hints]) => ({
      id: `${typeName(type).toLowerCase()}/${id}`,
      sends: `asked for ${typeName(type)}: ${sends}`,
      clause: svcb,
      type,
      records: (name) => [service(name, type, hints)],
    })),
  ),
  {
    id: 'beside-answer',
    sends: 'asked for A: an HTTPS record with hints beside the address',
    clause: svcb,
    type: types.a,
    records: (name) => [addressRecordOf(name, own), service(name, types.https, [metadata])],
  },
  {
    id: 'any',
    sends: `asked for ANY: A ${metadata} and an HTTPS record with hints`,
    clause: 'RFC 8482',
    type: types.any,
    records: (name) => [addressRecordOf(name, metadata), service(name, types.https, [metadata])],
  },
  {
    id: 'in-authority',
    sends: 'an A record of cloud metadata in AUTHORITY',
    clause: sections,
    type: types.a,
    records: (name) => [addressRecordOf(name, own)],
    change: (name) => (reply) => ({ ...reply, authority: [addressRecordOf(name, metadata)] }),
  },
  {
    id: 'in-additional',
    sends: 'an A record of cloud metadata in ADDITIONAL',
    clause: sections,
    type: types.a,
    records: (name) => [addressRecordOf(name, own)],
    change: (name) => (reply) => ({ ...reply, additional: [addressRecordOf(name, metadata)] }),
  },
  {
    id: 'glue-beside-answer',
    sends: 'NS in AUTHORITY and its private address in ADDITIONAL',
    clause: sections,
    type: types.a,
    records: (name) => [addressRecordOf(name, own)],
    change: (name) => (reply) => ({ ...reply, authority: [ns(name)], additional: [glue(name, metadata)] }),
  },
  {
    id: 'public-glue',
    sends: 'NS in AUTHORITY and its public address in ADDITIONAL',
    clause: sections,
    type: types.a,
    records: (name) => [addressRecordOf(name, own)],
    change: (name) => (reply) => ({ ...reply, authority: [ns(name)], additional: [glue(name, elsewhere)] }),
  },
  {
    id: 'nodata-with-glue',
    sends: 'no answer, and an AAAA record that wraps cloud metadata in ADDITIONAL',
    clause: sections,
    type: types.aaaa,
    records: () => [],
    change: (name) => (reply) => ({
      ...reply,
      authority: [ns(name)],
      additional: [glue(name, wrapped)],
    }),
  },
];

/** Of an answer to another type than A and AAAA its A records are no answer either. */
function judge({ heard, answer }: Exchange, type: number): Finding {
  if (heard.answer === null) return silent;
  const hex = heard.answer.toString('hex');
  if (answer === null) return { outcome: 'garbage', observed: 'octets that are no DNS message', hex };
  const isAddressType = type === types.a || type === types.aaaa;
  const wrong = isAddressType ? [] : answer.addresses.map(({ address }) => `ANSWER ${address}`);
  if (wrong.length === 0 && answer.elsewhere.length === 0) return holds(answerWords(answer));
  return {
    outcome: 'falsified',
    observed: `the guest gets ${[...wrong, ...answer.elsewhere].join(', ')}`,
    hex,
  };
}

export function hintParts(): Part[] {
  return smuggles.map(({ id, sends, clause, type, records, change }) =>
    exchangePart({
      claim: 'F1.hints',
      id: `hints/${id}`,
      sends,
      never: 'an address reaches the guest outside A and AAAA of ANSWER',
      clause,
      guest: (name) => query(name, type),
      play: (name) => answersWith(name, records(name), change?.(name)),
      judge: (exchange) => judge(exchange, type),
    }),
  );
}
