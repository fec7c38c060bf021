/** Left sides of matches, as nft compiles them: dependencies first, then loads into consecutive registers. */
import type { Expression, Family, Hook } from '../ruleset.ts';
import {
  bases,
  type Field,
  networkTypes,
  protocols,
  transportNumbers,
  typedIcmpFields,
  type ValueType,
} from './fields.ts';
import type { Json } from './values.ts';

/** What is not known in a file; the rule keeps its name. */
export class NotReadable extends Error {}

export interface Loaded {
  readonly type: ValueType;
  readonly bits: number;
  /** Bytes in the register. */
  readonly bytes: number;
  /** The value's lowest bit lies so many bits up. */
  readonly shift: number;
  readonly register: number;
}

export interface LowerContext {
  readonly family: Family;
  readonly hook: Hook | null;
  readonly emit: (expression: Expression) => void;
  /** What the rule has tested so far, which decides how nft tests the next header. */
  readonly tested: Tested;
}

export interface Tested {
  link: 'ether' | 'vlan' | null;
  network: string | null;
}

const metaTypes: Readonly<Record<string, readonly [ValueType, bytes: number]>> = {
  length: ['hostInteger', 4],
  protocol: ['etherType', 2],
  mark: ['hostInteger', 4],
  iif: ['ifindex', 4],
  oif: ['ifindex', 4],
  iifname: ['ifname', 16],
  oifname: ['ifname', 16],
  iiftype: ['hardware', 2],
  oiftype: ['hardware', 2],
  nfproto: ['nfproto', 1],
  l4proto: ['protocol', 1],
  pkttype: ['packetType', 1],
};

const ctTypes: Readonly<Record<string, readonly [ValueType, bytes: number]>> = {
  state: ['ctState', 4],
  direction: ['ctDirection', 1],
  status: ['ctStatus', 4],
  mark: ['hostInteger', 4],
  l3proto: ['nfproto', 1],
  protocol: ['protocol', 1],
  'proto-src': ['port', 2],
  'proto-dst': ['port', 2],
  'ip saddr': ['ipv4', 4],
  'ip daddr': ['ipv4', 4],
  'ip6 saddr': ['ipv6', 16],
  'ip6 daddr': ['ipv6', 16],
};

const extensionNumbers: Readonly<Record<string, number>> = { hbh: 0, rt: 43, frag: 44, auth: 51, dst: 60 };

type Members = { readonly [key: string]: Json };

export function members(value: Json | undefined): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return value;
}

/** Throws NotReadable, naming the expression. */
export function lowerLoad(value: Json, register: number, context: LowerContext): Loaded {
  const [kind = ''] = Object.keys(members(value));
  const inner = members(value)[kind] ?? null;
  const load = loaders[kind];
  if (load === undefined) throw new NotReadable(kind === '' ? JSON.stringify(value) : kind);
  return load(inner, register, context);
}

const loaders: Readonly<Record<string, (inner: Json, register: number, context: LowerContext) => Loaded>> = {
  payload: loadPayload,
  meta: (inner, register, { emit }) => {
    const key = String(members(inner).key);
    const [type, bytes] = metaTypes[key] ?? unreadable(`meta ${key}`);
    emit({ kind: 'meta', key, to: register });
    return whole(type, bytes, register);
  },
  ct: (inner, register, { emit }) => {
    const { key, dir } = members(inner);
    const [type, bytes] = ctTypes[String(key)] ?? unreadable(`ct ${String(key)}`);
    const direction = dir === 'original' || dir === 'reply' ? dir : null;
    emit({ kind: 'ct', key: String(key), direction, to: register });
    return whole(type, bytes, register);
  },
  fib: (inner, register, { emit }) => {
    const { result, flags } = members(inner);
    const known = ['saddr', 'daddr', 'mark', 'iif', 'oif'] as const;
    const list = (Array.isArray(flags) ? flags : [flags]).map(String);
    if (result !== 'type') throw new NotReadable(`fib ${list.join(' . ')} ${String(result)}`);
    emit({
      kind: 'fib',
      result,
      present: false,
      flags: known.filter((flag) => list.includes(flag)),
      to: register,
    });
    return whole('fibType', 4, register);
  },
  exthdr: (inner, register, context) => {
    const { name, field } = members(inner);
    const number = extensionNumbers[String(name)];
    if (number === undefined || field !== undefined) throw new NotReadable(`exthdr ${String(name)}`);
    if (context.family === 'inet') testByte(context, 'nfproto', 10);
    context.emit({
      kind: 'exthdr',
      op: 'ipv6',
      type: number,
      offset: 0,
      length: 1,
      present: true,
      to: register,
    });
    return whole('boolean', 1, register);
  },
  '&': (inner, register, context) => bitwise('&', inner, register, context),
  '|': (inner, register, context) => bitwise('|', inner, register, context),
  '^': (inner, register, context) => bitwise('^', inner, register, context),
};

function unreadable(name: string): never {
  throw new NotReadable(name);
}

function whole(type: ValueType, bytes: number, register: number): Loaded {
  return { type, bits: bytes * 8, bytes, shift: 0, register };
}

/** The operand is filled in by whoever knows how its values are written. */
export type Operand = (value: Json, loaded: Loaded) => readonly number[];

let operand: Operand = () => unreadable('bitwise');

/** Values need names and interface indexes, which only the reader knows. */
export function withOperands<T>(read: Operand, run: () => T): T {
  const before = operand;
  operand = read;
  try {
    return run();
  } finally {
    operand = before;
  }
}

/** x | c is (x & ~c) ^ c. */
function bitwise(op: '&' | '|' | '^', inner: Json, register: number, context: LowerContext): Loaded {
  if (!Array.isArray(inner) || inner.length !== 2) throw new NotReadable(`bitwise ${op}`);
  const loaded = lowerLoad(inner[0] ?? null, register, context);
  const constant = operand(inner[1] ?? null, loaded);
  const and = constant.map((byte) => (op === '&' ? byte : op === '|' ? ~byte & 0xff : 0xff));
  const xor = constant.map((byte) => (op === '&' ? 0 : byte));
  context.emit({ kind: 'mask', from: register, to: register, and, xor });
  return loaded;
}

function loadPayload(inner: Json, register: number, context: LowerContext): Loaded {
  const { protocol, field, base, offset, len } = members(inner);
  if (typeof base === 'string') {
    const known = bases[base] ?? unreadable(`payload base ${base}`);
    return loadField(
      { base: known, offset: Number(offset), bits: Number(len), type: 'integer' },
      register,
      context,
    );
  }
  const name = String(protocol);
  const found = protocols[name]?.[String(field)] ?? unreadable(`payload ${name} ${String(field)}`);
  if (name.startsWith('icmp') && typedIcmpFields.includes(String(field))) {
    unreadable(`payload ${name} ${String(field)}`);
  }
  depend(name, context);
  return loadField(found, register, context);
}

function loadField({ base, offset, bits, type }: Field, register: number, { emit }: LowerContext): Loaded {
  const first = Math.floor(offset / 8);
  const end = Math.ceil((offset + bits) / 8);
  const bytes = end - first;
  const shift = end * 8 - (offset + bits);
  emit({ kind: 'payload', base, offset: first, length: bytes, to: register });
  if (shift !== 0 || offset % 8 !== 0) {
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    const and = [...Buffer.from(mask.toString(16).padStart(bytes * 2, '0'), 'hex')];
    emit({ kind: 'mask', from: register, to: register, and, xor: and.map(() => 0) });
  }
  return { type, bits, bytes, shift, register };
}

/** Scratch register of dependencies: the last word, which no concatenation reaches. */
const scratch = 15;

function testByte({ emit }: LowerContext, key: string, value: number): void {
  emit({ kind: 'meta', key, to: scratch });
  emit({ kind: 'compare', op: 'eq', from: scratch, value: [value] });
}

function testWord({ emit }: LowerContext, key: string, value: number, hostOrder: boolean): void {
  const bytes = [value >> 8, value & 0xff];
  emit({ kind: 'meta', key, to: scratch });
  emit({ kind: 'compare', op: 'eq', from: scratch, value: hostOrder ? bytes.reverse() : bytes });
}

/** What nft tests before it reads a protocol's fields, and leaves out when it lists the rule. */
function depend(protocol: string, context: LowerContext): void {
  if (protocol === 'ether' || protocol === 'vlan') {
    dependOnLink(protocol, context);
    return;
  }
  const network = protocol === 'icmp' ? 'ip' : protocol === 'icmpv6' ? 'ip6' : protocol;
  dependOnNetwork(network, context);
  const number = transportNumbers[protocol];
  if (number !== undefined) testByte(context, 'l4proto', number);
}

function dependOnLink(protocol: 'ether' | 'vlan', context: LowerContext): void {
  const { tested } = context;
  testWord(context, 'iiftype', 1, true);
  if (protocol === 'vlan') testLink(context, 12, 0x8100);
  tested.link = protocol === 'vlan' ? 'vlan' : (tested.link ?? 'ether');
}

/** After a field of the link layer nft asks that layer's EtherType, which of a tagged frame is the tag's. */
function dependOnNetwork(network: string, context: LowerContext): void {
  const { family, tested } = context;
  const type = networkTypes[network];
  if (type === undefined || tested.network === network) return;
  if (family === 'inet' || family === 'netdev' || family === 'bridge') {
    if (tested.link !== null) testLink(context, tested.link === 'ether' ? 12 : 16, type);
    else if (family === 'inet') testByte(context, 'nfproto', network === 'ip' ? 2 : 10);
    else testWord(context, 'protocol', type, false);
  }
  tested.network = network;
}

function testLink({ emit }: LowerContext, offset: number, type: number): void {
  emit({ kind: 'payload', base: 'link', offset, length: 2, to: scratch });
  emit({ kind: 'compare', op: 'eq', from: scratch, value: [type >> 8, type & 0xff] });
}
