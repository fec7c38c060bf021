/** Vectors for dns-reply: forgeries, bent messages, and the one reply that counts. */
import { addressRecord } from '../../../arbitraries/dns.ts';
import {
  encodeMessage,
  encodeName,
  flags,
  hexOf,
  type ModelMessage,
  type ModelQuestion,
  type ModelRecord,
  query,
  questionOf,
  replyTo,
  types,
} from '../../../models/dns-message.ts';
import { upstreamServer } from '../../../models/dns-session.ts';
import { encodeSketch, plainName } from '../../../models/dns-sketch.ts';
import type { DnsVector } from './dns-vector.ts';

/** As it was sent: random ID, 0x20 case. */
const sent = hexOf(encodeMessage(query(['eXaMple', 'cOm'], types.a, 0x2b67)));
const honest = replyTo(sent, [addressRecord(['example', 'com'], types.a, [93, 184, 216, 34])]);
const question: ModelQuestion = questionOf(sent);
const opt: ModelRecord = { owner: [], type: types.opt, class: 1_232, ttl: 0, data: { raw: [] } };

type Verdict = 'accept' | 'ignore' | 'retry-tcp' | 'fail';

interface Options {
  readonly from?: { readonly address: string; readonly port: number };
  readonly transport?: 'udp' | 'tcp';
  readonly source?: string;
}

function vector(
  id: string,
  message: ModelMessage | string,
  verdict: Verdict,
  rule: string,
  options: Options = {},
): DnsVector {
  const reply = typeof message === 'string' ? message : hexOf(encodeMessage(message));
  const { from = upstreamServer, transport = 'udp', source = 'RFC 5452 section 9.1' } = options;
  const input = { query: sent, sentTo: upstreamServer, reply, from, transport };
  return {
    id: `reply/${id}`,
    comment: rule,
    decision: 'dns-reply',
    input,
    verdict,
    rule,
    source,
    flags: verdict === 'accept' ? [] : ['negative'],
  };
}

/** An honest question, a TXT record that holds a ladder of pointers, and records owned by its last rung. */
function ladder(rungs: number, records: number): string {
  const name = plainName(question.name);
  const text = { type: types.txt, class: 1, ttl: 0 };
  const start = 12 + encodeName(question.name).length + 4 + 11;
  const word = (index: number) => 0xc000 | (index === 0 ? 12 : start + 2 * (index - 1));
  const octets = Array.from({ length: rungs }, (_, index) => [word(index) >> 8, word(index) & 255]).flat();
  const owner = { labels: [], ending: { pointer: start + 2 * (rungs - 1) } };
  const owned = Array.from({ length: records }, () => ({ ...text, owner, data: { octets: [] } }));
  const answers = [{ ...text, owner: plainName([]), data: { octets } }, ...owned];
  const sketch = { ...honest, questions: [{ ...question, name }], answers, authority: [], additional: [] };
  return Buffer.from(encodeSketch(sketch)).toString('hex');
}

/** RCODE and version in the TTL of an OPT. */
function versions(): DnsVector[] {
  const source = 'RFC 6891 section 6.1.3';
  const of = (id: string, code: number, ttl: number, verdict: Verdict, rule: string) =>
    vector(
      `version/${id}`,
      { ...replyTo(sent, honest.answers, code), additional: [{ ...opt, ttl }] },
      verdict,
      rule,
      { source },
    );
  return [
    of('1', 0, 0x0001_0000, 'accept', 'version 1: what the server could speak, in the format of version 0'),
    of('255-dnssec-ok', 0, 0x00ff_8000, 'accept', 'version 255, DO=1'),
    of('badvers', 0, 0x0100_0000, 'fail', 'BADVERS: its header says NOERROR'),
    of('badvers-1', 0, 0x0101_0000, 'fail', 'BADVERS of a server of version 1'),
    of('extended-rcode-128', 0, 0x8000_0000, 'fail', 'RCODE 2048: its header says NOERROR'),
    of('extended-nxdomain', 3, 0x0100_0000, 'fail', 'RCODE 19: its header says NXDOMAIN'),
    of('nxdomain', 3, 0x0000_8000, 'accept', 'NXDOMAIN, no extended RCODE'),
  ];
}

export function replyVectors(): DnsVector[] {
  const hex = hexOf(encodeMessage(honest));
  const cuts = [1, 2, 4, 10, 16, 20, 30].map((octets) =>
    vector(`cut/${octets}`, hex.slice(0, -2 * octets), 'ignore', `cut off by ${octets} octets`, {
      source: 'RFC 1035 section 4.1',
    }),
  );
  const codes = [2, 4, 5, 9].map((code) =>
    vector(`rcode/${code}`, replyTo(sent, [], code), 'fail', `RCODE ${code}`, {
      source: 'RFC 1035 section 4.1.1',
    }),
  );
  const flip = (name: string[]) => ({ ...honest, questions: [{ ...question, name }] });
  const other = (change: Partial<ModelQuestion>) => ({ ...honest, questions: [{ ...question, ...change }] });
  return [
    vector('honest', honest, 'accept', 'the reply to the query'),
    vector('honest-tcp', honest, 'accept', 'the reply to the query, over TCP', { transport: 'tcp' }),
    vector('nxdomain', replyTo(sent, [], 3), 'accept', 'NXDOMAIN is an answer'),
    vector('empty', replyTo(sent, []), 'accept', 'NODATA is an answer'),
    vector('from/other-address', honest, 'ignore', 'another address', {
      from: { address: '192.0.2.54', port: 53 },
    }),
    vector('from/other-port', honest, 'ignore', 'another port', {
      from: { address: '192.0.2.53', port: 5353 },
    }),
    vector('from/mapped', honest, 'ignore', 'the same server in another notation is another address', {
      from: { address: '::ffff:192.0.2.53', port: 53 },
    }),
    vector('id/low-bit', { ...honest, id: honest.id ^ 1 }, 'ignore', 'another ID'),
    vector('id/high-bit', { ...honest, id: honest.id ^ 0x8000 }, 'ignore', 'another ID'),
    vector('id/swapped', { ...honest, id: 0x672b }, 'ignore', 'another ID'),
    vector('flags/query', { ...honest, flags: honest.flags & ~flags.response }, 'ignore', 'QR=0'),
    ...[1, 2, 4, 5, 15].map((opcode) =>
      vector(
        `flags/opcode-${opcode}`,
        { ...honest, flags: honest.flags | (opcode << 11) },
        'ignore',
        `opcode ${opcode}`,
      ),
    ),
    vector(
      'flags/truncated',
      { ...honest, flags: honest.flags | flags.truncated },
      'retry-tcp',
      'TC=1 over UDP',
      { source: 'RFC 2181 section 9' },
    ),
    vector(
      'flags/truncated-tcp',
      { ...honest, flags: honest.flags | flags.truncated },
      'fail',
      'TC=1 over TCP',
      { transport: 'tcp', source: 'RFC 2181 section 9' },
    ),
    vector(
      'question/lower-case',
      flip(['example', 'com']),
      'ignore',
      'the case that was sent is not there (0x20)',
    ),
    vector(
      'question/upper-case',
      flip(['EXAMPLE', 'COM']),
      'ignore',
      'the case that was sent is not there (0x20)',
    ),
    vector('question/one-letter', flip(['exaMple', 'cOm']), 'ignore', 'one letter in another case'),
    vector('question/other-name', flip(['attacker', 'net']), 'ignore', 'another name'),
    vector(
      'question/other-name-truncated',
      { ...flip(['attacker', 'net']), flags: honest.flags | flags.truncated },
      'ignore',
      'another name, TC=1: a forgery does not send the query to TCP',
    ),
    vector(
      'question/other-name-servfail',
      { ...flip(['attacker', 'net']), flags: honest.flags | 2 },
      'ignore',
      'another name, SERVFAIL: a forgery does not end the wait',
    ),
    vector('question/parent', flip(['cOm']), 'ignore', 'another name'),
    vector('question/one-label', flip(['eXaMple.cOm']), 'ignore', 'a dot is no boundary'),
    vector('question/root', flip([]), 'ignore', 'another name'),
    vector('question/type', other({ type: types.aaaa }), 'ignore', 'another type'),
    vector('question/class', other({ class: 3 }), 'ignore', 'another class'),
    vector('question/none', { ...honest, questions: [] }, 'ignore', 'no question'),
    vector('question/two', { ...honest, questions: [question, question] }, 'ignore', 'two questions', {
      source: 'RFC 9619',
    }),
    vector(
      'count/answers-more',
      { ...honest, countsOff: [0, 1, 0, 0] },
      'ignore',
      'ANCOUNT counts one too many',
    ),
    vector(
      'count/answers-fewer',
      { ...honest, countsOff: [0, -1, 0, 0] },
      'ignore',
      'ANCOUNT counts one too few',
    ),
    vector(
      'count/authority',
      { ...honest, countsOff: [0, 0, 1, 0] },
      'ignore',
      'NSCOUNT counts what is not there',
    ),
    vector(
      'count/additional',
      { ...honest, countsOff: [0, 0, 0, 1] },
      'ignore',
      'ARCOUNT counts what is not there',
    ),
    vector('tail', { ...honest, trailing: [0] }, 'ignore', 'an octet after the last record'),
    vector(
      'a-of-three-octets',
      replyTo(sent, [addressRecord(['example', 'com'], types.a, [1, 2, 3])]),
      'ignore',
      'an A record of three octets',
      { source: 'RFC 1035 section 3.4.1' },
    ),
    vector(
      'aaaa-of-four-octets',
      replyTo(sent, [addressRecord(['example', 'com'], types.aaaa, [1, 2, 3, 4])]),
      'ignore',
      'an AAAA record of four octets',
      { source: 'RFC 3596 section 2.2' },
    ),
    ...(['answers', 'authority'] as const).map((section) =>
      vector(
        `edns/in-${section}`,
        { ...honest, [section]: [...honest[section], opt] },
        'ignore',
        `an OPT in ${section.toUpperCase()} (found by the fuzzer)`,
        { source: 'RFC 6891 section 6.1.1' },
      ),
    ),
    vector('pointers/few-in-each-name', ladder(11, 9), 'accept', 'owners that take twelve pointers each', {
      source: 'RFC 1035 section 4.1.4',
    }),
    vector(
      'pointers/more-than-octets',
      ladder(30, 9),
      'ignore',
      'all names together take more pointers than the message has octets (found by the fuzzer)',
      { source: 'RFC 9267 section 2' },
    ),
    vector('edns/in-additional', { ...honest, additional: [opt] }, 'accept', 'an OPT where it belongs', {
      source: 'RFC 6891 section 6.1.1',
    }),
    ...versions(),
    vector('shorter-than-a-header', hex.slice(0, 22), 'ignore', 'shorter than a header'),
    vector('nothing', '', 'ignore', 'no octet at all'),
    ...cuts,
    ...codes,
  ];
}
