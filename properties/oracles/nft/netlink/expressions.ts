/** nf_tables expressions as the kernel dumps them, into those of the model. What is not known keeps its name. */
import {
  type Attributes,
  attributeList,
  nested,
  number32,
  readAttributes,
  text,
} from '../../netlink/attributes.ts';
import type { Bytes, Expression, PayloadBase, Verdict } from '../ruleset.ts';
import { ctKeys, metaKeys, objectTypes } from './constants.ts';

export function readExpressions(list: Buffer): Expression[] {
  return attributeList(list).map(([, element]) => readExpression(element));
}

export function readExpression(element: Buffer): Expression {
  const attributes = readAttributes(element);
  const name = text(attributes, 1);
  const read = readers[name];
  if (read === undefined) return { kind: 'unknown', name };
  return read(nested(attributes, 2), name);
}

type Reader = (attributes: Attributes, name: string) => Expression;

const readers: Readonly<Record<string, Reader>> = {
  payload: readPayload,
  meta: readMeta,
  ct: readCt,
  cmp: readCompare,
  range: readRange,
  bitwise: readBitwise,
  byteorder: readByteorder,
  immediate: readImmediate,
  lookup: readLookup,
  fib: readFib,
  exthdr: readExthdr,
  nat: readNat,
  masq: readMasquerade,
  redir: readRedirect,
  reject: () => ({ kind: 'reject' }),
  notrack: () => ({ kind: 'notrack' }),
  queue: () => ({ kind: 'queue' }),
  limit: (_, name) => ({ kind: 'either', name }),
  quota: (_, name) => ({ kind: 'either', name }),
  connlimit: (_, name) => ({ kind: 'either', name }),
  counter: (_, name) => ({ kind: 'effect', name }),
  log: (_, name) => ({ kind: 'effect', name }),
  last: (_, name) => ({ kind: 'effect', name }),
  objref: readObjectReference,
  match: readExtension,
  target: readExtension,
};

/** A register as a number of 32-bit words: NFT_REG_1 to 4 are four words each, NFT_REG32_00 on are one. */
function register(attributes: Attributes, type: number): number {
  const number = number32(attributes, type);
  if (number === null) throw new RangeError(`no register in attribute ${type}`);
  if (number >= 1 && number <= 4) return (number - 1) * 4;
  if (number >= 8 && number <= 23) return number - 8;
  throw new RangeError(`register ${number}`);
}

function optionalRegister(attributes: Attributes, type: number): number | null {
  return attributes.has(type) ? register(attributes, type) : null;
}

function required(attributes: Attributes, type: number): number {
  const number = number32(attributes, type);
  if (number === null) throw new RangeError(`no number in attribute ${type}`);
  return number;
}

/** The value inside NFTA_DATA_VALUE. */
export function dataValue(attributes: Attributes, type: number): Bytes {
  return [...(nested(attributes, type).get(1) ?? [])];
}

const verdictCodes: Readonly<Record<number, Verdict['code']>> = {
  0: 'drop',
  1: 'accept',
  2: 'stolen',
  3: 'queue',
  [-1]: 'continue',
  [-2]: 'break',
  [-3]: 'jump',
  [-4]: 'goto',
  [-5]: 'return',
};

/** NFTA_DATA_VERDICT. */
export function readVerdict(data: Attributes): Verdict {
  const attributes = nested(data, 2);
  const raw = required(attributes, 1) | 0;
  const code = verdictCodes[raw] ?? (raw > 0 ? verdictCodes[raw & 0xff] : undefined);
  if (code === undefined) throw new RangeError(`verdict ${raw}`);
  return code === 'jump' || code === 'goto' ? { code, chain: text(attributes, 2) } : { code };
}

const bases: readonly PayloadBase[] = ['link', 'network', 'transport', 'inner'];

function readPayload(attributes: Attributes): Expression {
  const base = bases[required(attributes, 2)];
  if (base === undefined) return { kind: 'unknown', name: `payload base ${required(attributes, 2)}` };
  const place = { base, offset: required(attributes, 3), length: required(attributes, 4) };
  return attributes.has(5)
    ? { kind: 'payload-set', ...place, from: register(attributes, 5) }
    : { kind: 'payload', ...place, to: register(attributes, 1) };
}

function readMeta(attributes: Attributes): Expression {
  const number = required(attributes, 2);
  const key = metaKeys[number] ?? `key ${number}`;
  return attributes.has(3)
    ? { kind: 'meta-set', key, from: register(attributes, 3) }
    : { kind: 'meta', key, to: register(attributes, 1) };
}

function readCt(attributes: Attributes): Expression {
  const number = required(attributes, 2);
  const key = ctKeys[number] ?? `key ${number}`;
  if (attributes.has(4)) return { kind: 'ct-set', key, from: register(attributes, 4) };
  const way = attributes.get(3)?.[0];
  const direction = way === undefined ? null : way === 0 ? 'original' : 'reply';
  return { kind: 'ct', key, direction, to: register(attributes, 1) };
}

function readCompare(attributes: Attributes): Expression {
  const op = (['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const)[required(attributes, 2)];
  if (op === undefined) return { kind: 'unknown', name: `cmp ${required(attributes, 2)}` };
  return { kind: 'compare', op, from: register(attributes, 1), value: dataValue(attributes, 3) };
}

function readRange(attributes: Attributes): Expression {
  return {
    kind: 'range',
    inverted: required(attributes, 2) === 1,
    from: register(attributes, 1),
    first: dataValue(attributes, 3),
    last: dataValue(attributes, 4),
  };
}

function readBitwise(attributes: Attributes): Expression {
  const registers = { from: register(attributes, 1), to: register(attributes, 2) };
  const op = number32(attributes, 6) ?? 0;
  if (op === 0) {
    return { kind: 'mask', ...registers, and: dataValue(attributes, 4), xor: dataValue(attributes, 5) };
  }
  if (op > 2) return { kind: 'unknown', name: `bitwise operation ${op}` };
  const by = Buffer.from(dataValue(attributes, 7)).readUInt32LE(0);
  return {
    kind: 'shift',
    way: op === 1 ? 'left' : 'right',
    by,
    length: required(attributes, 3),
    ...registers,
  };
}

function readByteorder(attributes: Attributes): Expression {
  return {
    kind: 'byteorder',
    length: required(attributes, 4),
    size: required(attributes, 5),
    from: register(attributes, 1),
    to: register(attributes, 2),
  };
}

function readImmediate(attributes: Attributes): Expression {
  if (required(attributes, 1) === 0) return { kind: 'verdict', verdict: readVerdict(nested(attributes, 2)) };
  return { kind: 'constant', to: register(attributes, 1), value: dataValue(attributes, 2) };
}

function readLookup(attributes: Attributes): Expression {
  const destination = number32(attributes, 3);
  return {
    kind: 'lookup',
    set: text(attributes, 1),
    from: register(attributes, 2),
    inverted: ((number32(attributes, 5) ?? 0) & 1) === 1,
    to: destination === null ? null : destination === 0 ? 'verdict' : register(attributes, 3),
  };
}

function readFib(attributes: Attributes): Expression {
  const bits = required(attributes, 3);
  const result = ([null, 'oif', 'oifname', 'type'] as const)[required(attributes, 2)] ?? null;
  if (result === null) return { kind: 'unknown', name: `fib result ${required(attributes, 2)}` };
  const names = ['saddr', 'daddr', 'mark', 'iif', 'oif'] as const;
  return {
    kind: 'fib',
    result,
    present: (bits & 32) !== 0,
    flags: names.filter((_, i) => (bits & (1 << i)) !== 0),
    to: register(attributes, 1),
  };
}

function readExthdr(attributes: Attributes): Expression {
  const op = (['ipv6', 'tcp option', 'ip option', 'sctp', 'dccp'] as const)[number32(attributes, 6) ?? 0];
  if (attributes.has(7) || !attributes.has(1))
    return { kind: 'unknown', name: `exthdr ${op} reset or write` };
  return {
    kind: 'exthdr',
    op: op ?? 'unknown',
    type: attributes.get(2)?.[0] ?? 0,
    offset: required(attributes, 3),
    length: required(attributes, 4),
    present: ((number32(attributes, 5) ?? 0) & 1) === 1,
    to: register(attributes, 1),
  };
}

function registerRange(attributes: Attributes, first: number, last: number) {
  const begin = optionalRegister(attributes, first);
  return begin === null ? null : { first: begin, last: optionalRegister(attributes, last) ?? begin };
}

function readNat(attributes: Attributes): Expression {
  const family = required(attributes, 2);
  return {
    kind: 'nat',
    manipulates: required(attributes, 1) === 0 ? 'source' : 'destination',
    family: family === 2 ? 4 : family === 10 ? 6 : null,
    address: registerRange(attributes, 3, 4),
    port: registerRange(attributes, 5, 6),
    flags: number32(attributes, 7) ?? 0,
  };
}

function readMasquerade(attributes: Attributes): Expression {
  return { kind: 'masquerade', port: registerRange(attributes, 2, 3), flags: number32(attributes, 1) ?? 0 };
}

function readRedirect(attributes: Attributes): Expression {
  return { kind: 'redirect', port: registerRange(attributes, 1, 2), flags: number32(attributes, 3) ?? 0 };
}

const passingObjects = ['counter', 'ct helper', 'ct timeout', 'ct expectation', 'secmark'];
const limitingObjects = ['quota', 'limit', 'connlimit'];

function readObjectReference(attributes: Attributes): Expression {
  const number = number32(attributes, 1);
  if (number === null) return { kind: 'unknown', name: 'objref through a map' };
  const name = objectTypes[number] ?? `object ${number}`;
  if (passingObjects.includes(name)) return { kind: 'effect', name };
  return limitingObjects.includes(name)
    ? { kind: 'either', name }
    : { kind: 'unknown', name: `objref ${name}` };
}

/** xtables matches and targets, with their binary parameters. */
function readExtension(attributes: Attributes, kind: string): Expression {
  return {
    kind: kind === 'match' ? 'match' : 'target',
    name: text(attributes, 1),
    revision: number32(attributes, 2) ?? 0,
    info: [...(attributes.get(3) ?? [])],
  };
}
