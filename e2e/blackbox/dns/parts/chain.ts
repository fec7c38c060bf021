/** F1.chain: what QNAME does not lead to is not its answer. Published vectors under our names, and generated ones. */
import * as fc from 'fast-check';
import { cname, recordAbout } from '#properties/arbitraries/dns.ts';
import {
  flags,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  textOfRecord,
  types,
} from '#properties/models/dns-message.ts';
import { readStrictly } from '#properties/oracles/dns/strict-reader.ts';
import type { DnsVector } from '#properties/vectors/generate/dns-messages/dns-vector.ts';
import { loadCorpus } from '#properties/vectors/load-corpus.ts';
import { alwaysAnswers, exchangePart, neverAnswers } from '../exchange-part.ts';
import { keyOf } from '../names.ts';
import type { Part } from '../part.ts';
import { textOf } from '../received.ts';
import type { Settings } from '../settings.ts';
import { addressRecordOf, answersWith } from '../stage.ts';

/** A record with names of the vector's, before they stand under ours. */
type Relative = (name: Labels) => ModelRecord;

/** example.com is the name that is asked; every other name stands below it, where nobody else is asked. */
function placed(owner: Labels, name: Labels): Labels {
  const text = owner.join('.').toLowerCase();
  if (text !== 'example.com') return [...owner.slice(0, 1), ...name];
  return owner.length === 1 ? [name.join('.')] : name;
}

interface Sample {
  readonly id: string;
  readonly comment: string;
  readonly clause: string;
  readonly type: number;
  readonly code: number;
  readonly records: readonly Relative[];
  /** Addresses of the reply that the guest must not get. */
  readonly forbidden: readonly string[];
}

const hexField = (input: DnsVector['input'], field: string) => Buffer.from(String(input[field]), 'hex');

/** Chains that a resolver may follow further than the reference does: to refuse them is a bound, no duty. */
const tooLong = 'answer/cname-too-long';

function samples(): Sample[] {
  const { vectors } = loadCorpus<DnsVector>('dns-messages');
  return vectors.flatMap((vector) => {
    const { id, input, answer = [], comment, source } = vector;
    const elsewhere = /^answer\/(refused|ttl|many|question-|reply-to-another|in-|svcb|glue)/.test(id);
    if (vector.decision !== 'dns-build' || elsewhere || id === tooLong) return [];
    const message = readStrictly(hexField(input, 'reply'));
    const asked = readStrictly(hexField(input, 'query'))?.questions[0];
    const answers = message?.sections[0] ?? [];
    const inAnswer = answers.filter(({ type }) => type === types.a || type === types.aaaa);
    const kept = answer.map((text) => text.split(' ')[0]);
    const forbidden = inAnswer.map(({ data }) => textOf(data)).filter((text) => !kept.includes(text));
    if (message === null || asked === undefined || forbidden.length === 0) return [];
    const records = answers.map(
      ({ owner, type, class: ownClass, ttl, data, target }): Relative =>
        (name) => ({
          owner: placed(owner, name),
          type,
          class: ownClass,
          ttl,
          data: target === null ? { address: data } : { target: placed(target, name) },
        }),
    );
    const code = message.flags & 15;
    return [{ id, comment, clause: source, type: asked.type, code, records, forbidden }];
  });
}

const withCode = (code: number) => (reply: ModelMessage) => ({ ...reply, flags: reply.flags | code });

function attack({ id, comment, clause, type, code, records, forbidden }: Sample): Part {
  return exchangePart({
    claim: 'F1.chain',
    id,
    sends: comment,
    never: `${forbidden.join(', ')} reaches the guest`,
    clause: clause.startsWith('findings') ? 'RFC 1034 section 3.6.2, RFC 2181 section 5.4.1' : clause,
    guest: (name) => query(name, type),
    play: (name) =>
      answersWith(
        name,
        records.map((record) => record(name)),
        withCode(code),
      ),
    judge: neverAnswers(forbidden),
  });
}

const good = '93.184.216.77';
const hidden = '93.184.216.78';

/** What TC=1 leaves over: whole only over TCP. */
const truncated = exchangePart({
  claim: 'F1.chain',
  id: 'answer/truncated',
  sends: 'over UDP an address and TC=1, over TCP another address',
  never: `${hidden} of the truncated message reaches the guest`,
  clause: 'RFC 2181 section 9',
  guest: (name) => query(name, types.a),
  play: (name) => (asked) =>
    asked.transport === 'tcp'
      ? answersWith(name, [addressRecordOf(name, good)])(asked)
      : answersWith(name, [addressRecordOf(name, hidden)], (reply) => ({
          ...reply,
          flags: reply.flags | flags.truncated,
        }))(asked),
  judge: neverAnswers([hidden]),
});

/** The path is open: one alias, and an address behind it. */
const openChain = exchangePart({
  claim: 'F1.chain',
  id: 'answer/cname',
  sends: 'one CNAME and the address that it leads to',
  never: `${good} is left out`,
  clause: 'RFC 1034 section 3.6.2',
  guest: (name) => query(name, types.a),
  play: (name) =>
    answersWith(name, [cname(name, ['alias', ...name]), addressRecordOf(['alias', ...name], good)]),
  judge: alwaysAnswers(good),
});

/** Addresses of the asked type, class IN, owned by QNAME or by what its CNAME records lead to. */
export function reachable(name: Labels, type: number, records: readonly ModelRecord[]): Set<string> {
  const owners = new Set([keyOf(name)]);
  for (let size = 0; size !== owners.size; ) {
    size = owners.size;
    for (const { owner, class: ownClass, data } of records) {
      if ('target' in data && ownClass === 1 && owners.has(keyOf(owner))) owners.add(keyOf(data.target));
    }
  }
  const own = records.filter(
    (record) => record.type === type && record.class === 1 && owners.has(keyOf(record.owner)),
  );
  return new Set(own.flatMap(({ data }) => ('address' in data ? [textOf(data.address)] : [])));
}

const self: Labels = ['example', 'com'];
const others: readonly Labels[] = [
  ['alias', 'test'],
  ['other', 'test'],
];

function generated({ seed, runs }: Settings): Part[] {
  const list = fc.array(recordAbout([self, ...others]), { minLength: 1, maxLength: 4 });
  return fc.sample(list, { seed, numRuns: Math.ceil(runs / 2) }).flatMap((records, index) => {
    const may = reachable(self, types.a, records);
    const all = records.flatMap(({ data }) => ('address' in data ? [textOf(data.address)] : []));
    const forbidden = [...new Set(all)].filter((address) => !may.has(address));
    if (forbidden.length === 0) return [];
    const relative = records.map(
      (record): Relative =>
        (name) => ({
          ...record,
          owner: placed(record.owner, name),
          data: 'target' in record.data ? { target: placed(record.data.target, name) } : record.data,
        }),
    );
    const comment = records.map(textOfRecord).join('; ');
    const sample = { type: types.a, code: 0, records: relative, forbidden, comment };
    return [attack({ ...sample, id: `generated/chain/${seed}/${index}`, clause: 'RFC 1034 section 3.6.2' })];
  });
}

export function chainParts(settings: Settings): Part[] {
  return [openChain, ...samples().map(attack), truncated, ...generated(settings)];
}
