/** Vectors for dns-build: what of a reply is pinned, and what the guest gets. */
import { addressRecord, cname } from '../../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  replyTo,
  types,
} from '../../../models/dns-message.ts';
import type { DnsVector } from './dns-vector.ts';

const name: Labels = ['example', 'com'];
const alias: Labels = ['alias', 'cdn', 'net'];
const second: Labels = ['second', 'cdn', 'net'];
const good = [93, 184, 216, 34];
const goodText = '93.184.216.34';
const good6 = [0x26, 6, 0x28, 0, 2, 0x20, 0, 1, 2, 0x48, 0x18, 0x93, 0x25, 0xc8, 0x19, 0x46];
const good6Text = '2606:2800:220:1:248:1893:25c8:1946';
const a = (owner: Labels, address: readonly number[] = good, ttl = 60) =>
  addressRecord(owner, types.a, address, ttl);
/** Both ports that the policy allows for example.com. */
const pinsOf = (address: string, ttl: number) => [443, 8443].map((port) => `${address} tcp ${port} ${ttl}`);

interface Expected {
  readonly rcode: string;
  readonly pins?: readonly string[];
  readonly answer?: readonly string[];
  readonly rule: string;
  readonly source?: string;
  readonly transport?: 'udp' | 'tcp';
  readonly type?: number;
}

function vector(id: string, change: (reply: ModelMessage) => ModelMessage, expected: Expected): DnsVector {
  const {
    rcode,
    pins = [],
    answer = [],
    rule,
    source = 'findings.md F1, reference, messages',
    transport = 'udp',
    type = types.a,
  } = expected;
  const asked = hexOf(encodeMessage(query(name, type)));
  const reply = hexOf(encodeMessage(change(replyTo(asked, []))));
  const input = { query: asked, reply, transport, outcomes: null };
  return {
    id: `answer/${id}`,
    comment: rule,
    decision: 'dns-build',
    input,
    verdict: pins.length > 0 ? 'pin' : 'nothing pinned',
    rcode,
    pins,
    answer,
    rule,
    source,
    flags: pins.length > 0 ? [] : ['negative'],
  };
}

const answers =
  (...records: ModelRecord[]) =>
  (reply: ModelMessage): ModelMessage => ({ ...reply, answers: records });

function chains(): DnsVector[] {
  const nothing = (rule: string) => ({ rcode: 'NOERROR', rule, source: 'RFC 1034 section 3.6.2' });
  const long = Array.from({ length: 20 }, (_, index) =>
    cname(index === 0 ? name : [`c${index}`, 'net'], [`c${index + 1}`, 'net']),
  );
  const beside = Array.from({ length: 16 }, (_, index) => cname([`x${index}`, 'net'], ['y', 'net']));
  return [
    vector('plain', answers(a(name)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'an address of QNAME',
    }),
    vector('cname', answers(cname(name, alias), a(alias)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'one CNAME',
    }),
    vector('cname-out-of-order', answers(a(second), cname(alias, second), cname(name, alias)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'a chain in any order',
    }),
    vector('cname-case', answers(cname(['EXAMPLE', 'com'], ['ALIAS', 'cdn', 'net']), a(alias)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'names match in either case',
      source: 'RFC 4343',
    }),
    vector('aaaa', answers(addressRecord(name, types.aaaa, good6)), {
      rcode: 'NOERROR',
      pins: pinsOf(good6Text, 60),
      answer: [`${good6Text} 60`],
      rule: 'AAAA',
      type: types.aaaa,
    }),
    vector('duplicate', answers(a(name), a(name)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'the same address twice is one pin',
    }),
    vector('other-owner', answers(a(['attacker', 'net'])), nothing('its owner is not reached from QNAME')),
    vector(
      'other-owner-beside-cname',
      answers(cname(name, alias), a(second)),
      nothing('its owner is not reached from QNAME'),
    ),
    vector(
      'cname-of-another',
      answers(cname(second, alias), a(alias)),
      nothing('the chain does not begin at QNAME'),
    ),
    vector(
      'cname-other-class',
      answers({ ...cname(name, alias), class: 3 }, a(alias)),
      nothing('a CNAME of another class leads nowhere'),
    ),
    vector('cname-only', answers(cname(name, alias)), nothing('a chain without an address')),
    vector('cname-loop', answers(cname(name, alias), cname(alias, name), a(name)), {
      ...nothing('the chain loops'),
      rcode: 'SERVFAIL',
    }),
    vector('cname-to-itself', answers(cname(name, name), a(name)), {
      ...nothing('the chain loops'),
      rcode: 'SERVFAIL',
    }),
    vector('cname-too-long', answers(...long, a(['c20', 'net'])), {
      ...nothing('the chain has 20 records'),
      rcode: 'SERVFAIL',
    }),
    vector('cname-links-beside', answers(...beside, cname(name, alias), a(alias)), {
      ...nothing('more links than a chain may have, on the chain or beside it (found by the fuzzer)'),
      rcode: 'SERVFAIL',
    }),
    vector('dotted-owner', answers(a(['example.com'])), nothing('a dot is no boundary')),
    vector('other-class', answers({ ...a(name), class: 3 }), nothing('class CH')),
    vector(
      'other-type',
      answers(addressRecord(name, types.aaaa, good6)),
      nothing('AAAA for a question of A'),
    ),
    vector(
      'in-authority',
      (reply) => ({ ...reply, authority: [a(name)] }),
      nothing('an address in AUTHORITY'),
    ),
    vector(
      'in-additional',
      (reply) => ({ ...reply, additional: [a(name)] }),
      nothing('an address in ADDITIONAL'),
    ),
    vector(
      'svcb-hint',
      answers({
        owner: name,
        type: types.https,
        class: 1,
        ttl: 60,
        data: { raw: [0, 1, 0, 0, 4, 0, 4, 10, 0, 0, 1] },
      }),
      { ...nothing('an HTTPS record with ipv4hint'), source: 'RFC 9460 section 7.3' },
    ),
    vector(
      'glue-beside-answer',
      (reply) => ({ ...reply, answers: [a(name)], additional: [a(second, [1, 1, 1, 1])] }),
      {
        rcode: 'NOERROR',
        pins: pinsOf(goodText, 60),
        answer: [`${goodText} 60`],
        rule: 'glue beside the answer stays out',
      },
    ),
    vector('question-txt', answers({ ...a(name), type: types.txt, data: { raw: good6 } }), {
      rcode: 'SERVFAIL',
      rule: 'a question that never goes upstream, answered with the octets of an address',
      type: types.txt,
    }),
    vector('question-cname', answers(cname(name, alias), a(alias)), {
      rcode: 'SERVFAIL',
      rule: 'a question that never goes upstream',
      type: types.cname,
    }),
    vector(
      'reply-to-another-type',
      (reply) => ({
        ...reply,
        questions: [{ name, type: types.aaaa, class: 1 }],
        answers: [a(name)],
      }),
      { ...nothing('the reply is about another type'), rcode: 'SERVFAIL' },
    ),
    vector('nxdomain-with-address', (reply) => ({ ...reply, flags: reply.flags | 3, answers: [a(name)] }), {
      rcode: 'NXDOMAIN',
      rule: 'an address in an NXDOMAIN',
    }),
    vector('servfail-with-address', (reply) => ({ ...reply, flags: reply.flags | 2, answers: [a(name)] }), {
      rcode: 'SERVFAIL',
      rule: 'an address in a SERVFAIL',
    }),
  ];
}

function ttls(): DnsVector[] {
  const cases: [number, number, number][] = [
    [0, 30, 0],
    [1, 30, 1],
    [29, 30, 29],
    [30, 30, 30],
    [31, 31, 31],
    [299, 299, 299],
    [300, 300, 300],
    [301, 300, 300],
    [86_400, 300, 300],
    [2 ** 31 - 1, 300, 300],
    [2 ** 31, 30, 0],
    [2 ** 32 - 1, 30, 0],
  ];
  return [
    ...cases.map(([ttl, pinned, returned]) =>
      vector(`ttl/${ttl}`, answers(a(name, good, ttl)), {
        rcode: 'NOERROR',
        pins: pinsOf(goodText, pinned),
        answer: [`${goodText} ${returned}`],
        rule: `TTL ${ttl}: pinned for ${pinned} s, answered with ${returned}`,
        source: 'RFC 2181 section 8',
      }),
    ),
    vector('ttl/least-of-chain', answers(cname(name, alias, 40), a(alias, good, 200)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 40),
      answer: [`${goodText} 40`],
      rule: 'the least TTL of the chain',
    }),
  ];
}

function hostile(): DnsVector[] {
  const refused: [string, number[]][] = [
    ['metadata', [169, 254, 169, 254]],
    ['private', [10, 0, 0, 1]],
    ['loopback', [127, 0, 0, 1]],
    ['wire-server', [168, 63, 129, 16]],
    ['cgnat', [100, 64, 0, 1]],
    ['broadcast', [255, 255, 255, 255]],
    ['unspecified', [0, 0, 0, 0]],
    ['multicast', [224, 0, 0, 1]],
    ['benchmarking', [198, 18, 0, 1]],
  ];
  const refused6: [string, number[]][] = [
    ['nat64-metadata', [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 169, 254, 169, 254]],
    ['6to4-private', [0x20, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['mapped-public', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 93, 184, 216, 34]],
    ['ula', [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54]],
    ['site-local', [0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['isatap-metadata', [0x2a, 0, 0x14, 0x50, 0x40, 1, 8, 2, 0, 0, 0x5e, 0xfe, 169, 254, 169, 254]],
  ];
  const many = Array.from({ length: 70 }, (_, index) => a(name, [93, 184, 216, index]));
  const kept = Array.from({ length: 64 }, (_, index) => `93.184.216.${index}`);
  return [
    ...refused.map(([id, address]) =>
      vector(`refused/${id}`, answers(a(name, address)), {
        rcode: 'NOERROR',
        rule: 'the only address is refused: NODATA',
      }),
    ),
    ...refused6.map(([id, address]) =>
      vector(`refused/${id}`, answers(addressRecord(name, types.aaaa, address)), {
        rcode: 'NOERROR',
        rule: 'the only address is refused: NODATA',
        type: types.aaaa,
      }),
    ),
    vector('refused/beside-public', answers(a(name, [10, 0, 0, 1]), a(name)), {
      rcode: 'NOERROR',
      pins: pinsOf(goodText, 60),
      answer: [`${goodText} 60`],
      rule: 'the refused one is left out',
    }),
    vector('many/tcp', answers(...many), {
      rcode: 'NOERROR',
      pins: kept.flatMap((address) => pinsOf(address, 60)),
      answer: kept.map((address) => `${address} 60`),
      rule: 'the first 64, and only those',
      transport: 'tcp',
    }),
    vector('many/udp', answers(...many), {
      rcode: 'NOERROR',
      rule: 'too large for UDP: TC=1, and nothing is pinned',
      source: 'RFC 2181 section 9',
    }),
  ];
}

export function answerVectors(): DnsVector[] {
  return [...chains(), ...ttls(), ...hostile()];
}
