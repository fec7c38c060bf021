/**
 * The expressions of one rule as nf_tables runs them: loads into registers, comparisons, lookups, verdicts.
 * Invariant: a field is compared only after its protocol was; a word that is not known here is an error, never
 * a rule that matches more.
 */
import type { Json, Statement } from '../../decisions/ruleset/nft-json.ts';
import type { NetlinkWriter } from '../netlink-writer.ts';
import {
  bases,
  ctKeys,
  type DataType,
  type Field,
  fields,
  maskOf,
  metaKeys,
  octetsOf,
  types,
} from './fields.ts';

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
/** Verdicts as 32 bits: NF_DROP, NF_ACCEPT, NFT_JUMP, NFT_GOTO. */
const verdicts = { drop: 0, accept: 1, jump: -3, goto: -4 } as const;

const equal = 0;
const unequal = 1;
const verdictRegister = 0;
const register = 1;
const registerAt = (octets: number) => (octets === 0 ? register : 8 + octets / 4);

type Words = { readonly [key: string]: Json };
const isWords = (value: Json | undefined): value is Words =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const roundedUp = (octets: number) => (octets + 3) & ~3;

/** A set that stands in a rule and nowhere else. */
export interface AnonymousSet {
  readonly type: DataType;
  readonly elements: readonly Json[];
}

/** The sets of a rule, in the order in which `writeExpressions` looks into them. */
export function anonymousSets(statements: readonly Statement[]): AnonymousSet[] {
  return statements.flatMap(({ match }) => {
    if (!isWords(match) || !isWords(match.right)) return [];
    const elements = match.right.set;
    if (!Array.isArray(elements) || !isOfSeveral(elements)) return [];
    return [{ type: typeOf(match.left), elements: elements as readonly Json[] }];
  });
}

/** A set of one value is a comparison. */
const isOfSeveral = (elements: readonly Json[]) => elements.length > 1 || isWords(elements[0]);

/** The verdict of a statement or of a map's element, or null. */
export function verdictOf(words: Json | undefined): { code: number; chain?: string } | null {
  if (!isWords(words)) return null;
  if ('accept' in words) return { code: verdicts.accept };
  if ('drop' in words) return { code: verdicts.drop };
  for (const kind of ['jump', 'goto'] as const) {
    const to = words[kind];
    if (isWords(to) && typeof to.target === 'string') return { code: verdicts[kind], chain: to.target };
  }
  return null;
}

export function writeVerdict(writer: NetlinkWriter, { code, chain }: { code: number; chain?: string }): void {
  writer.nest(NFTA_DATA_VERDICT, () => {
    writer.uint32(NFTA_VERDICT_CODE, code);
    if (chain !== undefined) writer.text(NFTA_VERDICT_CHAIN, chain);
  });
}

function fieldOf(payload: Json): Field {
  const { protocol, field, base, offset, len } = payload as {
    protocol?: string;
    field?: string;
    base?: string;
    offset?: number;
    len?: number;
  };
  if (base !== undefined && offset !== undefined && len !== undefined) {
    const at = bases[base];
    if (at === undefined || offset % 8 !== 0 || len % 8 !== 0) throw unknown(payload);
    return { base: at, offset: offset / 8, type: types.integer(len / 8) };
  }
  const found = fields[`${protocol} ${field}`];
  if (found === undefined) throw unknown(payload);
  return found;
}

function unknown(words: Json | undefined): RangeError {
  return new RangeError(`no rule can be made of ${JSON.stringify(words)?.slice(0, 200)}`);
}

/** Of what is loaded, in octets that are not rounded. */
export function typeOf(left: Json | undefined): DataType {
  if (!isWords(left)) throw unknown(left);
  if ('payload' in left) return fieldOf(left.payload as Json).type;
  if ('meta' in left && isWords(left.meta)) return metaKeys[String(left.meta.key)]?.type ?? never(left);
  if ('ct' in left && isWords(left.ct)) return ctKeys[String(left.ct.key)]?.type ?? never(left);
  if ('fib' in left) return types.fib_addrtype;
  if ('&' in left) return typeOf((left['&'] as readonly Json[])[0]);
  throw unknown(left);
}

function never(words: Json): never {
  throw unknown(words);
}

/** Writes the expressions of one rule; `setIds` name its anonymous sets within the batch. */
export class RuleWriter {
  readonly #writer: NetlinkWriter;
  readonly #family: 'inet' | 'netdev';
  readonly #setIds: number[];
  readonly #known = new Set<string>();

  constructor(writer: NetlinkWriter, family: 'inet' | 'netdev', setIds: readonly number[]) {
    this.#writer = writer;
    this.#family = family;
    this.#setIds = [...setIds];
  }

  write(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const verdict = verdictOf(statement);
    const { match, vmap, mangle, masquerade, dnat, limit, 'ct count': count } = statement;
    if (verdict !== null) this.#immediateVerdict(verdict);
    else if (isWords(match)) this.#match(match);
    else if (isWords(vmap)) this.#vmap(vmap);
    else if (isWords(mangle)) this.#setMark(mangle);
    else if (masquerade !== undefined) this.#masquerade(masquerade);
    else if (isWords(dnat)) this.#dnat(dnat);
    else if (isWords(count)) this.#flowCount(count);
    else if (isWords(limit)) this.#rateLimit(limit);
    else throw unknown(statement);
  }

  #expression(name: string, data: () => void): void {
    this.#writer.nest(NFTA_LIST_ELEM, () => {
      this.#writer.text(NFTA_EXPR_NAME, name);
      this.#writer.nest(NFTA_EXPR_DATA, data);
    });
  }

  #immediateVerdict(verdict: { code: number; chain?: string }): void {
    this.#expression('immediate', () => {
      this.#writer.uint32(1, verdictRegister).nest(2, () => writeVerdict(this.#writer, verdict));
    });
  }

  #immediate(octets: Uint8Array, to: number): void {
    this.#expression('immediate', () => {
      this.#writer.uint32(1, to).nest(2, () => this.#writer.bytes(NFTA_DATA_VALUE, octets));
    });
  }

  #match({ op, left, right }: Words): void {
    if (left === undefined || right === undefined) throw unknown(left);
    const isOfMany = isWords(right) || (typeof right === 'string' && right.startsWith('@'));
    // Left out, it would match what it is to pass over.
    if (op === '!=' && isOfMany) throw unknown({ op, right });
    if (typeof right === 'string' && right.startsWith('@')) {
      this.#load(left, register);
      this.#lookup(right.slice(1), null);
      return;
    }
    const type = typeOf(left);
    if (isWords(right) && isWords(right.prefix)) {
      this.#matchPrefix(left, type, right.prefix);
      this.#learn(left, op, right);
      return;
    }
    this.#load(left, register);
    if (isWords(right)) this.#matchSet(type, right);
    else if (op === 'in') {
      this.#mask(octetsOf(right, type), type.octets);
      this.#compare(unequal, Buffer.alloc(type.octets));
    } else this.#compare(op === '!=' ? unequal : equal, octetsOf(right, type));
    this.#learn(left, op, right);
  }

  #matchSet(type: DataType, { set }: Words): void {
    if (!Array.isArray(set)) throw unknown(set);
    if (isOfSeveral(set)) this.#lookup('__set%d', null, this.#setIds.shift());
    else this.#compare(equal, octetsOf(set[0] ?? null, type));
  }

  #matchPrefix(left: Json, type: DataType, { addr, len }: Words): void {
    const bits = Number(len);
    const octets = octetsOf(addr ?? null, type);
    this.#load(left, register);
    if (bits < type.octets * 8) this.#mask(maskOf(bits, type.octets), type.octets);
    this.#compare(equal, octets);
  }

  #compare(operator: number, octets: Uint8Array): void {
    this.#expression('cmp', () => {
      this.#writer.uint32(1, register).uint32(2, operator);
      this.#writer.nest(3, () => this.#writer.bytes(NFTA_DATA_VALUE, octets));
    });
  }

  #mask(mask: Uint8Array, octets: number): void {
    this.#expression('bitwise', () => {
      this.#writer.uint32(1, register).uint32(2, register).uint32(3, octets);
      this.#writer.nest(4, () => this.#writer.bytes(NFTA_DATA_VALUE, mask));
      this.#writer.nest(5, () => this.#writer.bytes(NFTA_DATA_VALUE, Buffer.alloc(octets)));
    });
  }

  #lookup(set: string, to: number | null, id?: number): void {
    this.#expression('lookup', () => {
      this.#writer.text(1, set).uint32(2, register);
      if (to !== null) this.#writer.uint32(3, to);
      if (id !== undefined) this.#writer.uint32(4, id);
    });
  }

  #load(left: Json, to: number): void {
    if (!isWords(left)) throw unknown(left);
    if (isWords(left.payload)) {
      this.#loadPayload(left.payload, to);
      return;
    }
    const { meta, ct, concat, fib } = left;
    if (isWords(meta)) {
      this.#loadMeta(String(meta.key), to);
      return;
    }
    if (isWords(ct)) {
      const { key } = ctKeys[String(ct.key)] ?? never(left);
      const { dir } = ct;
      this.#expression('ct', () => {
        this.#writer.uint32(1, to).uint32(2, key);
        if (dir !== undefined) this.#writer.uint8(3, dir === 'reply' ? 1 : 0);
      });
      return;
    }
    if (isWords(fib)) {
      this.#loadAddressType(fib, to);
      return;
    }
    if (Array.isArray(concat)) {
      this.#loadConcat(concat);
      return;
    }
    const masked = left['&'];
    if (!Array.isArray(masked)) throw unknown(left);
    const type = typeOf(masked[0]);
    this.#load(masked[0] ?? null, to);
    this.#mask(octetsOf(masked[1] ?? null, type), type.octets);
  }

  #loadConcat(parts: readonly Json[]): void {
    // What a field depends on is compared in the first register: before anything stands there.
    for (const part of parts) if (isWords(part) && isWords(part.payload)) this.#depend(part.payload);
    let at = 0;
    for (const part of parts) {
      this.#load(part, registerAt(at));
      at += roundedUp(typeOf(part).octets);
    }
  }

  #loadPayload(payload: Words, to: number): void {
    this.#depend(payload);
    const { base, offset, type } = fieldOf(payload);
    this.#expression('payload', () => {
      this.#writer.uint32(1, to).uint32(2, base).uint32(3, offset).uint32(4, type.octets);
    });
  }

  #loadMeta(name: string, to: number): void {
    const { key } = metaKeys[name] ?? never(name);
    this.#expression('meta', () => this.#writer.uint32(1, to).uint32(2, key));
  }

  #loadAddressType({ result, flags }: Words, to: number): void {
    if (result !== 'type' || flags !== 'daddr') throw unknown(flags);
    const [addressType, ofDestination] = [3, 2];
    this.#expression('fib', () => {
      this.#writer.uint32(1, to).uint32(2, addressType).uint32(3, ofDestination);
    });
  }

  /** Compares what the field depends on, unless the rule has done so. */
  #depend({ protocol }: Words): void {
    const network = { ip: 'ipv4', icmp: 'ipv4', ip6: 'ipv6', icmpv6: 'ipv6' }[String(protocol)];
    const transport = { icmp: 'icmp', icmpv6: 'ipv6-icmp', tcp: 'tcp', udp: 'udp' }[String(protocol)];
    if (this.#family === 'netdev') {
      if (protocol === 'ether' && !this.#known.has('ether')) {
        this.#known.add('ether');
        const [iiftype, ethernet] = [8, 1];
        this.#expression('meta', () => this.#writer.uint32(1, register).uint32(2, iiftype));
        this.#compare(equal, Buffer.from(Uint16Array.of(ethernet).buffer));
      }
      if (network !== undefined && !this.#known.has(network))
        throw unknown(`${protocol} before its ether type`);
    } else if (network !== undefined && !this.#known.has(network)) {
      this.#match({ op: '==', left: { meta: { key: 'nfproto' } }, right: network });
    }
    if (transport !== undefined && !this.#known.has(transport)) {
      this.#match({ op: '==', left: { meta: { key: 'l4proto' } }, right: transport });
    }
  }

  /** What later fields may count on. */
  #learn(left: Json, op: Json | undefined, right: Json): void {
    if (op === '!=' || typeof right !== 'string' || !isWords(left)) return;
    const { meta, payload } = left;
    if (isWords(meta)) this.#known.add(right);
    if (!isWords(payload)) return;
    const isEtherType = payload.protocol === 'ether' && payload.field === 'type';
    if (isEtherType) this.#known.add({ ip: 'ipv4', ip6: 'ipv6' }[right] ?? right);
    else if (payload.field === 'nexthdr') this.#known.add(right);
  }

  #vmap({ key, data }: Words): void {
    if (key === undefined || typeof data !== 'string') throw unknown(data);
    this.#load(key, register);
    this.#lookup(data.slice(1), verdictRegister);
  }

  #setMark({ key, value }: Words): void {
    if (!isWords(key) || !isWords(key.ct) || key.ct.key !== 'mark') throw unknown(key);
    this.#immediate(octetsOf(value ?? null, types.mark), register);
    const mark = 3;
    this.#expression('ct', () => this.#writer.uint32(2, mark).uint32(4, register));
  }

  /** `ct count over`: 1 is NFT_CONNLIMIT_F_INV. */
  #flowCount({ val, inv }: Words): void {
    if (typeof val !== 'number' || inv !== true) throw unknown(val);
    this.#expression('connlimit', () => this.#writer.uint32(1, val).uint32(2, 1));
  }

  /** `limit rate over` in packets: 0 is NFT_LIMIT_PKTS, 1 is NFT_LIMIT_F_INV. */
  #rateLimit({ rate, burst, per, inv }: Words): void {
    if (typeof rate !== 'number' || typeof burst !== 'number' || per !== 'second' || inv !== true)
      throw unknown(per);
    const [second, packets, over] = [1, 0, 1];
    this.#expression('limit', () => {
      this.#writer.uint64(1, rate).uint64(2, second);
      this.#writer.uint32(3, burst).uint32(4, packets).uint32(5, over);
    });
  }

  #masquerade(words: Json): void {
    if (!isWords(words)) {
      this.#expression('masq', () => undefined);
      return;
    }
    const { port } = words;
    const range = isWords(port) ? port.range : null;
    if (!Array.isArray(range)) throw unknown(words);
    const [first, last] = [registerAt(0), registerAt(4) + 0];
    this.#immediate(octetsOf(range[0] ?? null, types.inet_service), first);
    this.#immediate(octetsOf(range[1] ?? null, types.inet_service), last);
    const portsSpecified = 2;
    this.#expression('masq', () => this.#writer.uint32(1, portsSpecified).uint32(2, first).uint32(3, last));
  }

  #dnat({ family, addr, port }: Words): void {
    const type = family === 'ip6' ? types.ipv6_addr : types.ipv4_addr;
    const second = 2;
    this.#immediate(octetsOf(addr ?? null, type), register);
    this.#immediate(octetsOf(port ?? null, types.inet_service), second);
    const [destination, portsSpecified] = [1, 2];
    this.#expression('nat', () => {
      this.#writer.uint32(1, destination).uint32(2, family === 'ip6' ? 10 : 2);
      this.#writer.uint32(3, register).uint32(5, second).uint32(7, portsSpecified);
    });
  }
}
