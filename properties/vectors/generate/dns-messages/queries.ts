/** Vectors for dns-query. */
import {
  encodeMessage,
  encodeName,
  flags,
  hexOf,
  type Labels,
  type ModelMessage,
  query,
  types,
} from '../../../models/dns-message.ts';
import type { DnsVector } from './dns-vector.ts';

const random = { id: 4242, caseBits: '00'.repeat(32) };

interface Expected {
  readonly verdict: 'forward' | 'answer' | 'drop';
  readonly rcode?: string;
  readonly rule: string;
  readonly source: string;
}

const forward: Expected = { verdict: 'forward', rule: 'allowlisted', source: 'findings.md F1' };
const refused = (rule: string): Expected => ({
  verdict: 'answer',
  rcode: 'REFUSED',
  rule,
  source: 'findings.md F1',
});
const noData = (rule: string): Expected => ({
  verdict: 'answer',
  rcode: 'NOERROR',
  rule,
  source: 'findings.md F1',
});
const formErr = (rule: string, source: string): Expected => ({
  verdict: 'answer',
  rcode: 'FORMERR',
  rule,
  source,
});

function vector(id: string, octets: readonly number[], expected: Expected, comment: string): DnsVector {
  const input = { message: hexOf(octets), transport: 'udp', random };
  const negative = expected.verdict === 'forward' ? [] : ['negative'];
  return { id: `query/${id}`, comment, decision: 'dns-query', input, ...expected, flags: negative };
}

const plain = query(['example', 'com'], types.a);
const write = (message: ModelMessage) => encodeMessage(message);

function names(): DnsVector[] {
  const cases: [string, Labels, Expected][] = [
    ['exact', ['example', 'com'], forward],
    ['exact-upper-case', ['EXAMPLE', 'Com'], forward],
    ['wildcard-one-label', ['a', 'wild', 'test'], forward],
    ['wildcard-two-labels', ['a', 'b', 'wild', 'test'], forward],
    ['wildcard-longest-label', ['l'.repeat(63), 'wild', 'test'], forward],
    ['underscore', ['_sip', '_tcp', 'wild', 'test'], forward],
    ['punycode', ['xn--e1afmkfd', 'wild', 'test'], forward],
    ['udp-entry', ['time', 'test'], forward],
    ['wildcard-itself', ['wild', 'test'], refused('*.x is not x')],
    ['parent', ['com'], refused('not allowlisted')],
    ['root', [], refused('not allowlisted')],
    ['suffix-of-label', ['evilexample', 'com'], refused('labels are whole')],
    ['child-of-exact', ['www', 'example', 'com'], refused('an exact entry has no children')],
    ['allowed-as-prefix', ['example', 'com', 'attacker', 'net'], refused('not allowlisted')],
    ['other', ['attacker', 'net'], refused('not allowlisted')],
    ['dot-in-label', ['foo.wild', 'test'], refused('a dot in a label is an octet')],
    ['dot-in-first-label', ['foo.x', 'wild', 'test'], refused('not LDH')],
    ['dot-ends-label', ['foo.', 'wild', 'test'], refused('not LDH')],
    ['whole-name-in-a-label', ['a.wild.test'], refused('not LDH')],
    ['escape', ['foo\\046', 'wild', 'test'], refused('not LDH')],
    ['nul', ['foo\0', 'wild', 'test'], refused('not LDH')],
    ['nul-ends-name', ['example', 'com\0'], refused('not LDH')],
    ['space', ['foo bar', 'wild', 'test'], refused('not LDH')],
    ['star', ['*', 'wild', 'test'], refused('not LDH')],
    ['high-octet', ['f\u00f6o', 'wild', 'test'], refused('not LDH')],
    ['upper-case-high-octet', ['\u00c0', 'wild', 'test'], refused('not LDH')],
    ['slash', ['a/b', 'wild', 'test'], refused('not LDH')],
    ['control', ['a\r\nb', 'wild', 'test'], refused('not LDH')],
    ['kelvin-sign-octets', ['\u00e2\u0084\u00aa', 'wild', 'test'], refused('case folding is ASCII only')],
  ];
  return cases.map(([id, name, expected]) =>
    vector(`name/${id}`, write(query(name, types.a)), expected, `labels ${JSON.stringify(name)}`),
  );
}

function questions(): DnsVector[] {
  const typed = (type: number) => write(query(['example', 'com'], type));
  const foreign: [string, number][] = [
    ['https', types.https],
    ['svcb', types.svcb],
    ['txt', types.txt],
    ['any', types.any],
    ['cname', types.cname],
    ['ns', types.ns],
    ['soa', types.soa],
    ['null', 10],
    ['axfr', 252],
    ['type-0', 0],
    ['type-65535', 65_535],
  ];
  return [
    vector('type/aaaa', typed(types.aaaa), forward, 'AAAA with the IPv6 option on'),
    ...foreign.map(([id, type]) =>
      vector(
        `type/${id}`,
        typed(type),
        noData('only A and AAAA go upstream'),
        'a type that never goes upstream',
      ),
    ),
    vector(
      'type/https-not-allowed',
      write(query(['attacker', 'net'], types.https)),
      refused('the name comes first'),
      'a name that is not allowlisted is REFUSED before its type is looked at',
    ),
    vector(
      'class/chaos',
      write({ ...plain, questions: [{ name: ['example', 'com'], type: 1, class: 3 }] }),
      refused('class is not IN'),
      'class CH',
    ),
    vector(
      'class/any',
      write({ ...plain, questions: [{ name: ['example', 'com'], type: 1, class: 255 }] }),
      refused('class is not IN'),
      'class ANY',
    ),
    vector(
      'count/no-question',
      write({ ...plain, questions: [] }),
      formErr('QDCOUNT is not 1', 'RFC 9619'),
      'no question',
    ),
    vector(
      'count/two-questions',
      write({ ...plain, questions: [...plain.questions, ...plain.questions] }),
      formErr('QDCOUNT is not 1', 'RFC 9619'),
      'two questions',
    ),
    vector(
      'count/lies-about-questions',
      write({ ...plain, countsOff: [1, 0, 0, 0] }),
      formErr('QDCOUNT is not 1', 'RFC 9619'),
      'one question, counted as two',
    ),
    vector(
      'count/lies-about-answers',
      write({ ...plain, countsOff: [0, 1, 0, 0] }),
      formErr('an answer is counted that is not there', 'RFC 1035 section 4.1.1'),
      'ANCOUNT 1, no answer',
    ),
    vector(
      'count/lies-about-additional',
      write({ ...plain, countsOff: [0, 0, 0, 9] }),
      formErr('records are counted that are not there', 'RFC 1035 section 4.1.1'),
      'ARCOUNT 9, no record',
    ),
    vector(
      'tail',
      write({ ...plain, trailing: [1, 2, 3] }),
      formErr('octets after the last record', 'RFC 1035 section 4.1'),
      'three octets after the question',
    ),
  ];
}

function headers(): DnsVector[] {
  const octets = write(plain);
  const drop = (rule: string): Expected => ({ verdict: 'drop', rule, source: 'RFC 1035 section 4.1.1' });
  const notImp: Expected = {
    verdict: 'answer',
    rcode: 'NOTIMP',
    rule: 'opcode is not QUERY',
    source: 'RFC 1035 section 4.1.1',
  };
  return [
    vector('header/empty', [], drop('shorter than a header'), 'no octet at all'),
    vector(
      'header/eleven-octets',
      octets.slice(0, 11),
      drop('shorter than a header'),
      'a header without its last octet',
    ),
    vector(
      'header/response',
      write({ ...plain, flags: flags.response }),
      drop('QR=1'),
      'a response instead of a query: answering it could loop',
    ),
    ...[1, 2, 4, 5, 6, 15].map((opcode) =>
      vector(`header/opcode-${opcode}`, write({ ...plain, flags: opcode << 11 }), notImp, `opcode ${opcode}`),
    ),
    vector(
      'header/checking-disabled',
      write({ ...plain, flags: 0x0110 }),
      forward,
      'CD=1: nothing of it goes upstream',
    ),
    vector(
      'header/no-recursion',
      write({ ...plain, flags: 0 }),
      forward,
      'RD=0: the upstream query says RD=1 all the same',
    ),
  ];
}

function malformedNames(): DnsVector[] {
  const header = write(plain).slice(0, 12);
  const tail = [0, 1, 0, 1];
  const cases: [string, number[], string][] = [
    ['cut-in-label', [7, 101, 120], 'a label of seven octets, two there'],
    ['cut-before-type', [...encodeName(['example', 'com']), 0], 'one octet of the type'],
    ['label-64', [64, ...Array.from({ length: 64 }, () => 97), 0, ...tail], 'label type 01'],
    ['label-128', [128, 97, 0, ...tail], 'label type 10'],
    ['pointer-to-itself', [0xc0, 12, ...tail], 'a pointer to where it stands'],
    ['pointer-forwards', [0xc0, 20, ...tail, 0], 'a pointer to later octets'],
    ['pointer-into-header', [0xc0, 4, ...tail], 'a pointer into the header'],
    ['pointer-cut', [0xc0], 'half a pointer'],
    ['label-then-loop', [1, 97, 0xc0, 12, ...tail], 'a label, then a pointer to it'],
    [
      'name-256-octets',
      [...encodeName(Array.from({ length: 64 }, () => 'abc')).slice(0, -1), 0, ...tail],
      'a name of 257 octets',
    ],
  ];
  return cases.map(([id, octets, comment]) =>
    vector(
      `malformed/${id}`,
      [...header, ...octets],
      formErr('malformed name', 'RFC 1035 section 4.1.4, RFC 9267'),
      comment,
    ),
  );
}

function edns(): DnsVector[] {
  const opt = (raw: number[], owner: Labels = []) => ({
    owner,
    type: types.opt,
    class: 4096,
    ttl: 0,
    data: { raw },
  });
  return [
    vector('edns/plain', write({ ...plain, additional: [opt([])] }), forward, 'an OPT without options'),
    vector(
      'edns/client-subnet',
      write({ ...plain, additional: [opt([0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2])] }),
      forward,
      'ECS: nothing of it goes upstream',
    ),
    vector(
      'edns/two-opts',
      write({ ...plain, additional: [opt([]), opt([])] }),
      formErr('more than one OPT', 'RFC 6891 section 6.1.1'),
      'two OPT records',
    ),
    ...(['answers', 'authority'] as const).map((section) =>
      vector(
        `edns/in-${section}`,
        write({ ...plain, [section]: [opt([])] }),
        formErr('OPT outside ADDITIONAL', 'RFC 6891 section 6.1.1'),
        `an OPT in ${section.toUpperCase()} (found by the fuzzer)`,
      ),
    ),
    vector(
      'edns/owned',
      write({ ...plain, additional: [opt([], ['x'])] }),
      formErr('OPT is owned by the root', 'RFC 6891 section 6.1.2'),
      'an OPT with an owner',
    ),
  ];
}

/** Versions of EDNS: only 0 is spoken (RFC 6891 section 6.1.3). */
function versions(): DnsVector[] {
  const badVers: Expected = {
    verdict: 'answer',
    rcode: 'BADVERS',
    rule: 'EDNS version is not 0',
    source: 'RFC 6891 section 6.1.3',
  };
  const spoken: Expected = { ...forward, source: 'RFC 6891 section 6.1.3' };
  const opt = (ttl: number) => ({ owner: [], type: types.opt, class: 4096, ttl, data: { raw: [] } });
  const asking = (message: ModelMessage, ttl: number) => write({ ...message, additional: [opt(ttl)] });
  return [
    vector('version/0', asking(plain, 0), spoken, 'version 0'),
    vector('version/0-dnssec-ok', asking(plain, 0x0000_8000), spoken, 'version 0, DO=1'),
    vector(
      'version/0-extended-rcode',
      asking(plain, 0x0100_0000),
      spoken,
      'version 0, an extended RCODE in a query',
    ),
    ...[1, 2, 127, 128, 255].map((version) =>
      vector(`version/${version}`, asking(plain, version * 65_536), badVers, `version ${version}`),
    ),
    vector('version/1-dnssec-ok', asking(plain, 0x0001_8000), badVers, 'version 1, DO=1'),
    vector(
      'version/1-extended-rcode',
      asking(plain, 0xff01_0000),
      badVers,
      'version 1 behind an extended RCODE',
    ),
    vector(
      'version/1-not-allowed',
      asking(query(['attacker', 'net'], types.a), 0x0001_0000),
      badVers,
      'version 1 and a name that is not allowlisted: the version comes first',
    ),
    vector(
      'version/1-other-type',
      asking(query(['example', 'com'], types.txt), 0x0001_0000),
      badVers,
      'version 1 and a type that never goes upstream: the version comes first',
    ),
  ];
}

export function queryVectors(): DnsVector[] {
  return [...names(), ...questions(), ...headers(), ...malformedNames(), ...edns(), ...versions()];
}
