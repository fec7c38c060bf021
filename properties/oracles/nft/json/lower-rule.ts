/** Rules as `nft -j` lists them, into the expressions that nft would send to the kernel. */
import type { Bytes, Expression, NftSet, SetElement, Verdict } from '../ruleset.ts';
import {
  type Loaded,
  type LowerContext,
  lowerLoad,
  members,
  NotReadable,
  type Tested,
  withOperands,
} from './lower-load.ts';
import {
  isHostOrdered,
  type Json,
  registerBytes,
  UnreadableValue,
  type ValueContext,
  valueNumber,
  valueRange,
} from './values.ts';

export interface RuleContext extends Omit<LowerContext, 'emit' | 'tested'>, ValueContext {
  readonly namedSets: ReadonlyMap<string, NftSet>;
  /** Keeps a set that stands in a rule; returns its name. */
  readonly keep: (set: Omit<NftSet, 'name'>) => string;
}

/** A statement that is not known becomes an expression without a verdict, by its name. */
export function lowerRule(statements: readonly Json[], context: RuleContext): Expression[] {
  const expressions: Expression[] = [];
  const tested: Tested = { link: null, network: null };
  for (const statement of statements) {
    const lowering = new Lowering(context, tested);
    const [kind = 'nothing'] = Object.keys(members(statement));
    try {
      lowering.statement(kind, members(statement)[kind] ?? null);
      expressions.push(...lowering.expressions);
    } catch (error) {
      if (!(error instanceof NotReadable || error instanceof UnreadableValue || error instanceof TypeError))
        throw error;
      expressions.push({ kind: 'unknown', name: `${kind}: ${error.message}` });
    }
  }
  return expressions;
}

const verdictCodes = ['accept', 'drop', 'continue', 'return'] as const;

export function verdictOf(value: Json): Verdict | null {
  const [kind = ''] = Object.keys(members(value));
  const plain = verdictCodes.find((code) => code === kind);
  if (plain !== undefined) return { code: plain };
  const target = members(members(value)[kind]).target;
  if ((kind === 'jump' || kind === 'goto') && typeof target === 'string')
    return { code: kind, chain: target };
  return null;
}

const effects = ['counter', 'log', 'last', 'ct helper', 'ct timeout', 'ct expectation', 'comment', 'secmark'];
const effectExtensions = ['match comment', 'target LOG', 'target NFLOG', 'target CHECKSUM'];
const limits = ['limit', 'quota', 'ct count'];
const natFlags: Readonly<Record<string, number>> = { random: 4, persistent: 8, 'fully-random': 16 };

class Lowering {
  readonly expressions: Expression[] = [];
  readonly #context: RuleContext;
  readonly #tested: Tested;

  constructor(context: RuleContext, tested: Tested) {
    this.#context = context;
    this.#tested = tested;
  }

  statement(kind: string, inner: Json): void {
    const verdict = verdictOf({ [kind]: inner });
    if (verdict !== null) {
      this.#emit({ kind: 'verdict', verdict });
      return;
    }
    if (effects.includes(kind)) {
      this.#emit({ kind: 'effect', name: kind });
      return;
    }
    if (limits.includes(kind)) {
      this.#emit({ kind: 'either', name: kind });
      return;
    }
    switch (kind) {
      case 'match':
        this.#match(members(inner));
        return;
      case 'vmap':
        this.#verdictMap(members(inner));
        return;
      case 'mangle':
        this.#mangle(members(inner));
        return;
      case 'reject':
      case 'notrack':
      case 'queue':
        this.#emit({ kind });
        return;
      case 'masquerade':
      case 'redirect':
        this.#emit({ kind, port: this.#port(inner, 4), flags: flagsOf(inner) });
        return;
      case 'snat':
      case 'dnat':
        this.#nat(kind, members(inner));
        return;
      case 'xt':
        this.#extension(members(inner));
        return;
      default:
        throw new NotReadable('not known');
    }
  }

  /** A listing has only the name; for a few that is enough. */
  #extension({ type, name }: { readonly [key: string]: Json }): void {
    if (type === 'target' && name === 'REJECT') this.#emit({ kind: 'reject' });
    else if (effectExtensions.includes(`${String(type)} ${String(name)}`)) {
      this.#emit({ kind: 'effect', name: String(name) });
    } else {
      throw new NotReadable(`${String(type)} ${String(name)} without its parameters`);
    }
  }

  #emit(expression: Expression): void {
    this.expressions.push(expression);
  }

  #load(value: Json, register: number): Loaded {
    const { family, hook } = this.#context;
    const emit = (expression: Expression) => this.#emit(expression);
    const context: LowerContext = { family, hook, emit, tested: this.#tested };
    return withOperands(
      (operand, loaded) => this.#bytes(operand, loaded),
      () => lowerLoad(value, register, context),
    );
  }

  /** A value or a concatenation, from register `first` on. */
  #loadKey(value: Json, first: number): Loaded[] {
    const { concat } = members(value);
    if (!Array.isArray(concat)) return [this.#load(value, first)];
    let register = first;
    return concat.map((part) => {
      const loaded = this.#load(part, register);
      register += Math.ceil(loaded.bytes / 4);
      return loaded;
    });
  }

  #number(value: Json, { type, bits, shift }: Loaded): bigint {
    return valueNumber(value, type, bits, this.#context) << BigInt(shift);
  }

  #bytes(value: Json, loaded: Loaded): Bytes {
    return registerBytes(this.#number(value, loaded), loaded.bytes, loaded.type);
  }

  #match({ op, left = null, right = null }: { readonly [key: string]: Json }): void {
    const parts = this.#loadKey(left, 0);
    const inverted = op === '!=';
    const set = typeof right === 'string' && right.startsWith('@') ? right.slice(1) : null;
    const listed = members(right).set;
    if (set !== null || listed !== undefined) {
      const name = set ?? this.#keepSet(listed ?? null, parts, 'keys');
      if (set !== null && parts.some(({ shift }) => shift !== 0))
        throw new NotReadable(`a part of a byte in @${set}`);
      this.#emit({ kind: 'lookup', set: name, from: 0, inverted, to: null });
      return;
    }
    const [loaded] = parts;
    if (loaded === undefined || parts.length > 1) throw new NotReadable('a concatenation beside a set');
    this.#compare(loaded, String(op), right);
  }

  #compare(loaded: Loaded, op: string, right: Json): void {
    const { register, bytes, type, shift, bits } = loaded;
    if (op === 'in') {
      const and = this.#bytes(right, loaded);
      const zero = and.map(() => 0);
      this.#emit({ kind: 'mask', from: register, to: register, and, xor: zero });
      this.#emit({ kind: 'compare', op: 'ne', from: register, value: zero });
      return;
    }
    const { first, last } = valueRange(right, type, bits, this.#context);
    if (first === last && (op === '==' || op === '!=')) {
      const value = registerBytes(first << BigInt(shift), bytes, type);
      this.#emit({ kind: 'compare', op: op === '==' ? 'eq' : 'ne', from: register, value });
      return;
    }
    if (isHostOrdered(type)) {
      this.#emit({ kind: 'byteorder', length: bytes, size: bytes, from: register, to: register });
    }
    const big = (value: bigint) => registerBytes(value << BigInt(shift), bytes, 'integer');
    const orders = { '<': 'lt', '>': 'gt', '<=': 'le', '>=': 'ge' } as const;
    const order = Object.entries(orders).find(([sign]) => sign === op)?.[1];
    if (order !== undefined) {
      this.#emit({ kind: 'compare', op: order, from: register, value: big(first) });
      return;
    }
    if (op !== '==' && op !== '!=') throw new NotReadable(`operator ${op}`);
    this.#emit({ kind: 'range', inverted: op === '!=', from: register, first: big(first), last: big(last) });
  }

  #keepSet(listed: Json, parts: readonly Loaded[], holds: NftSet['holds']): string {
    if (!Array.isArray(listed)) throw new NotReadable('a set');
    const shape = parts.map(({ bytes, type, shift, bits }) => ({ bytes, type, shift, bits }));
    return this.#context.keep(makeSet(listed, shape, holds, null, this.#context));
  }

  #verdictMap({ key = null, data = null }: { readonly [key: string]: Json }): void {
    const parts = this.#loadKey(key, 0);
    const name =
      typeof data === 'string' ? data.slice(1) : this.#keepSet(members(data).set ?? null, parts, 'verdicts');
    this.#emit({ kind: 'lookup', set: name, from: 0, inverted: false, to: 'verdict' });
  }

  /** A value that is computed, looked up or written down, into a register. */
  #value(value: Json, like: Loaded): void {
    const { map } = members(value);
    if (map !== undefined) {
      const { key = null, data = null } = members(map);
      const parts = this.#loadKey(key, like.register);
      if (typeof data !== 'string') throw new NotReadable(`a map in the rule (${parts.length} parts)`);
      const lookup = { set: data.slice(1), from: like.register, inverted: false, to: like.register } as const;
      this.#emit({ kind: 'lookup', ...lookup });
      return;
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      this.#load(value, like.register);
      return;
    }
    this.#emit({ kind: 'constant', to: like.register, value: this.#bytes(value, like) });
  }

  #mangle({ key = null, value = null }: { readonly [key: string]: Json }): void {
    const { meta, ct } = members(key);
    const name = String(members(meta ?? ct).key);
    if (meta === undefined && ct === undefined)
      throw new NotReadable(`mangle ${Object.keys(members(key)).join()}`);
    if (meta !== undefined && ['nftrace', 'priority'].includes(name)) {
      this.#emit({ kind: 'effect', name: `meta ${name} set` });
      return;
    }
    if (name !== 'mark') throw new NotReadable(`${meta === undefined ? 'ct' : 'meta'} ${name} set`);
    this.#value(value, { type: 'hostInteger', bits: 32, bytes: 4, shift: 0, register: 0 });
    this.#emit(
      meta === undefined ? { kind: 'ct-set', key: name, from: 0 } : { kind: 'meta-set', key: name, from: 0 },
    );
  }

  /** Loads the port, or both ends of a range, from register `first` on. */
  #port(inner: Json, first: number): { first: number; last: number } | null {
    const { port } = members(inner);
    if (port === undefined) return null;
    const ends = valueRange(port, 'port', 16, this.#context);
    this.#emit({ kind: 'constant', to: first, value: registerBytes(ends.first, 2, 'port') });
    this.#emit({ kind: 'constant', to: first + 4, value: registerBytes(ends.last, 2, 'port') });
    return { first, last: first + 4 };
  }

  #nat(kind: 'snat' | 'dnat', inner: { readonly [key: string]: Json }): void {
    const family =
      inner.family === 'ip' || this.#context.family === 'ip'
        ? 4
        : inner.family === 'ip6' || this.#context.family === 'ip6'
          ? 6
          : null;
    const { addr } = inner;
    let address: { first: number; last: number } | null = null;
    if (addr !== undefined) {
      if (family === null) throw new NotReadable(`${kind} of no family`);
      const type = family === 4 ? 'ipv4' : 'ipv6';
      const ends = valueRange(addr, type, family === 4 ? 32 : 128, this.#context);
      const bytes = family === 4 ? 4 : 16;
      this.#emit({ kind: 'constant', to: 0, value: registerBytes(ends.first, bytes, type) });
      this.#emit({ kind: 'constant', to: 4, value: registerBytes(ends.last, bytes, type) });
      address = { first: 0, last: 4 };
    }
    const port = this.#port(inner, 8);
    const manipulates = kind === 'snat' ? 'source' : 'destination';
    this.#emit({ kind: 'nat', manipulates, family, address, port, flags: flagsOf(inner) });
  }
}

function flagsOf(inner: Json): number {
  const { flags } = members(inner);
  const list = Array.isArray(flags) ? flags : flags === undefined ? [] : [flags];
  return list.reduce((all: number, flag) => {
    const bit = natFlags[String(flag)];
    if (bit === undefined) throw new NotReadable(`nat flag ${String(flag)}`);
    return all | bit;
  }, 0);
}

export type KeyPart = Pick<Loaded, 'type' | 'bytes' | 'bits' | 'shift'>;

/** A set or map from its listed elements. `value`: what a map holds beside verdicts. */
export function makeSet(
  listed: readonly Json[],
  parts: readonly KeyPart[],
  holds: NftSet['holds'],
  value: KeyPart | null,
  context: ValueContext,
): Omit<NftSet, 'name'> {
  const elements: SetElement[] = [];
  let catchAll: SetElement | null = null;
  for (const entry of listed) {
    const [keyJson, dataJson] =
      holds === 'keys' || !Array.isArray(entry) ? [entry, null] : [entry[0] ?? null, entry[1] ?? null];
    const wrapped = members(keyJson).elem;
    const key = wrapped === undefined ? keyJson : (members(wrapped).val ?? null);
    const limited = limits.filter((name) => members(wrapped)[name] !== undefined);
    const expressions: Expression[] = limited.map((name) => ({ kind: 'either', name }));
    const verdict = holds === 'verdicts' ? verdictOf(dataJson) : null;
    if (holds === 'verdicts' && verdict === null)
      throw new NotReadable(`verdict ${JSON.stringify(dataJson)}`);
    const data = holds === 'values' && value !== null ? dataBytes(dataJson, value, context) : null;
    const rest = { value: data, verdict, expressions };
    if (key === '*') catchAll = { from: [], to: [], ...rest };
    else elements.push({ ...keyRange(key, parts, context), ...rest });
  }
  const bytes = (length: number) => (parts.length > 1 ? Math.ceil(length / 4) * 4 : length);
  return {
    dynamic: false,
    keyBytes: parts.reduce((sum, part) => sum + bytes(part.bytes), 0),
    fieldBytes: parts.map((part) => part.bytes),
    holds,
    elements,
    catchAll,
  };
}

function dataBytes(json: Json, { type, bytes, bits }: KeyPart, context: ValueContext): Bytes {
  return registerBytes(valueNumber(json, type, bits, context), bytes, type);
}

function keyRange(key: Json, parts: readonly KeyPart[], context: ValueContext): { from: Bytes; to: Bytes } {
  const { concat } = members(key);
  const list = Array.isArray(concat) ? concat : [key];
  if (list.length !== parts.length) throw new NotReadable(`a key of ${list.length} parts`);
  const from: number[] = [];
  const to: number[] = [];
  for (const [i, { type, bytes, bits, shift }] of parts.entries()) {
    const { first, last } = valueRange(list[i] ?? null, type, bits, context);
    if (first !== last && isHostOrdered(type)) throw new NotReadable(`a range of ${type}`);
    const pad = parts.length > 1 ? new Array<number>(Math.ceil(bytes / 4) * 4 - bytes).fill(0) : [];
    from.push(...registerBytes(first << BigInt(shift), bytes, type), ...pad);
    to.push(...registerBytes(last << BigInt(shift), bytes, type), ...pad);
  }
  return { from, to };
}
