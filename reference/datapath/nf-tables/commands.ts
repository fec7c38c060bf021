/**
 * Commands of a transaction as messages of nf_tables over nfnetlink.
 * Invariant: a command becomes messages that do the same as it does under nft(8), or an error before anything
 * is sent.
 */
import type { Command, Json, Statement } from '../../decisions/ruleset/nft-json.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from '../netlink.ts';
import type { NetlinkWriter } from '../netlink-writer.ts';
import { anonymousSets, RuleWriter, roundedUp, verdictOf, writeVerdict } from './expressions.ts';
import { type DataType, octetsOf, setTypes } from './fields.ts';

export const NFNL_SUBSYS_NFTABLES = 10;
const message = (kind: number) => (NFNL_SUBSYS_NFTABLES << 8) | kind;
export const NFT_MSG_NEWTABLE = message(0);
const NFT_MSG_DELTABLE = message(2);
const NFT_MSG_NEWCHAIN = message(3);
const NFT_MSG_DELCHAIN = message(5);
const NFT_MSG_NEWRULE = message(6);
const NFT_MSG_DELRULE = message(8);
const NFT_MSG_NEWSET = message(9);
const NFT_MSG_DELSET = message(11);
const NFT_MSG_NEWSETELEM = message(12);
const NFT_MSG_DELSETELEM = message(14);

export const familyNumbers = { inet: 1, netdev: 5 } as const;
const hookNumbers: Readonly<Record<string, number>> = {
  ingress: 0,
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
};
const setFlags = { anonymous: 1, constant: 2, interval: 4, map: 8, timeout: 16, concat: 128 } as const;
const intervalEnd = 1;
const verdictType = 0xffffff00;
/** So many elements stand in one message: an attribute has 16 bits for its length. */
const elementsAtOnce = 256;

type Words = { readonly [key: string]: Json };
type FamilyName = keyof typeof familyNumbers;

interface SetShape {
  readonly parts: readonly DataType[];
  readonly flags: number;
}

export class CommandWriter {
  readonly #writer: NetlinkWriter;
  /** What elements are made of, by family and set: learnt as the sets are made. */
  readonly #shapes: Map<string, SetShape>;
  #nextSetId = 1;

  constructor(writer: NetlinkWriter, shapes: Map<string, SetShape> = new Map()) {
    this.#writer = writer;
    this.#shapes = shapes;
  }

  write(command: Command): void {
    for (const [verb, objects] of Object.entries(command)) {
      for (const [kind, words] of Object.entries(objects)) this.#one(verb, kind, words as Words);
    }
  }

  #one(verb: string, kind: string, words: Words): void {
    const name = String(words.name);
    switch (`${verb} ${kind}`) {
      case 'add table':
        this.#begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, words).text(1, name);
        return;
      case 'delete table':
        this.#begin(NFT_MSG_DELTABLE, 0, words).text(1, name);
        return;
      case 'add chain':
      case 'create chain':
        this.#chain(verb, words, name);
        return;
      case 'delete chain':
        this.#begin(NFT_MSG_DELCHAIN, 0, words).text(1, String(words.table)).text(3, name);
        return;
      case 'flush chain':
        this.#begin(NFT_MSG_DELRULE, 0, words).text(1, String(words.table)).text(2, name);
        return;
      case 'add rule':
        this.#rule(words);
        return;
      case 'add set':
      case 'create set':
      case 'add map':
      case 'create map':
        this.#set(verb, kind, words, name);
        return;
      case 'delete set':
        this.#begin(NFT_MSG_DELSET, 0, words).text(1, String(words.table)).text(2, name);
        return;
      case 'flush set':
        this.#begin(NFT_MSG_DELSETELEM, 0, words).text(1, String(words.table)).text(2, name);
        return;
      case 'add element':
        this.#elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, words, name);
        return;
      case 'delete element':
        this.#elements(NFT_MSG_DELSETELEM, 0, words, name);
        return;
      default:
        throw new RangeError(`no message does ${verb} ${kind}`);
    }
  }

  #begin(type: number, flags: number, { family }: Words): NetlinkWriter {
    return this.#writer.begin(type, flags | NLM_F_REQUEST).nfgen(familyNumbers[family as FamilyName]);
  }

  #chain(verb: string, words: Words, name: string): void {
    const { table, type, hook, prio, policy, dev } = words;
    const writer = this.#begin(NFT_MSG_NEWCHAIN, creating(verb), words).text(1, String(table)).text(3, name);
    if (hook === undefined) return;
    const number = hookNumbers[String(hook)];
    if (number === undefined) throw new RangeError(`no hook ${JSON.stringify(hook)}`);
    writer.nest(4, () => {
      writer.uint32(1, number).uint32(2, Number(prio));
      if (dev !== undefined) writer.text(3, String(dev));
    });
    writer.uint32(5, policy === 'accept' ? 1 : 0).text(7, String(type));
  }

  #rule(words: Words): void {
    const { family, table, chain, comment } = words;
    const statements = words.expr as readonly Statement[];
    const ids = anonymousSets(statements).map(({ type, elements }) => {
      const id = this.#nextSetId++;
      const isInterval = elements.some((element) => typeof element === 'object');
      const flags = setFlags.anonymous | setFlags.constant | (isInterval ? setFlags.interval : 0);
      const shape = { parts: [type], flags };
      this.#begin(NFT_MSG_NEWSET, NLM_F_CREATE, words).text(1, String(table)).text(2, '__set%d');
      this.#setBody(shape, id, isInterval ? undefined : elements.length);
      this.#list(NFT_MSG_NEWSETELEM, NLM_F_CREATE, words, '__set%d', shape, elements, id);
      return id;
    });
    const writer = this.#begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, words)
      .text(1, String(table))
      .text(2, String(chain));
    writer.nest(4, () => new RuleWriter(writer, family as FamilyName, ids).write(statements));
    writer.bytes(7, commentOctets(String(comment)));
  }

  #set(verb: string, kind: string, words: Words, name: string): void {
    const { type, flags, size, family } = words;
    const names = Array.isArray(type) ? type.map(String) : [String(type)];
    const parts = names.map((one) => {
      const found = setTypes[one];
      if (found === undefined) throw new RangeError(`no type ${one}`);
      return found;
    });
    const listed = (Array.isArray(flags) ? flags : []) as (keyof typeof setFlags)[];
    let bits = kind === 'map' ? setFlags.map : 0;
    for (const flag of listed) bits |= setFlags[flag];
    if ((bits & setFlags.interval) !== 0 && parts.length > 1) bits |= setFlags.concat;
    const shape = { parts, flags: bits };
    this.#shapes.set(`${family} ${name}`, shape);
    this.#begin(NFT_MSG_NEWSET, creating(verb), words).text(1, String(words.table)).text(2, name);
    this.#setBody(shape, this.#nextSetId++, size === undefined ? undefined : Number(size));
  }

  #setBody({ parts, flags }: SetShape, id: number, size: number | undefined): void {
    const writer = this.#writer;
    const octets =
      parts.length === 1
        ? (parts[0]?.octets ?? 0)
        : parts.reduce((sum, { octets: one }) => sum + roundedUp(one), 0);
    writer.uint32(3, flags).uint32(
      4,
      parts.reduce((sum, part) => (sum << 6) | part.id, 0),
    );
    writer.uint32(5, octets);
    if ((flags & setFlags.map) !== 0) writer.uint32(6, verdictType);
    const isConcat = (flags & setFlags.concat) !== 0;
    if (size !== undefined || isConcat) {
      writer.nest(9, () => {
        if (size !== undefined) writer.uint32(1, size);
        if (isConcat)
          writer.nest(2, () => {
            for (const { octets: one } of parts) writer.nest(1, () => writer.uint32(1, one));
          });
      });
    }
    writer.uint32(10, id);
    // For whoever lists it: the order of the key's octets (2: network, 1: host).
    writer.bytes(13, Uint8Array.of(0, 4, parts[0]?.order === 'host' ? 1 : 2, 0, 0, 0));
  }

  #elements(type: number, flags: number, words: Words, name: string): void {
    const shape = this.#shapes.get(`${words.family} ${name}`);
    if (shape === undefined) throw new RangeError(`no set ${name} was made`);
    this.#list(type, flags, words, name, shape, words.elem as readonly Json[]);
  }

  #list(
    type: number,
    flags: number,
    words: Words,
    name: string,
    shape: SetShape,
    elements: readonly Json[],
    id?: number,
  ): void {
    for (let at = 0; at < elements.length; at += elementsAtOnce) {
      const writer = this.#begin(type, flags, words).text(1, String(words.table)).text(2, name);
      if (id !== undefined) writer.uint32(4, id);
      writer.nest(3, () => {
        for (const element of elements.slice(at, at + elementsAtOnce)) this.#element(shape, element);
      });
    }
  }

  #element({ parts, flags }: SetShape, element: Json): void {
    const isMap = (flags & setFlags.map) !== 0;
    const [key, data] = isMap ? (element as readonly Json[]) : [element, undefined];
    const verdict = isMap ? verdictOf(data) : null;
    const { first, last } = boundsOf(key ?? null, parts);
    const writer = this.#writer;
    const value = (attribute: number, octets: Uint8Array) =>
      writer.nest(attribute, () => writer.bytes(1, octets));
    writer.nest(1, () => {
      value(1, first);
      if ((flags & setFlags.concat) !== 0) value(10, last);
      if (verdict !== null) writer.nest(2, () => writeVerdict(writer, verdict));
    });
    if ((flags & setFlags.interval) === 0 || (flags & setFlags.concat) !== 0) return;
    const end = after(last);
    if (end === null) return;
    writer.nest(1, () => {
      value(1, end);
      writer.uint32(3, intervalEnd);
    });
  }
}

const creating = (verb: string) => NLM_F_CREATE | (verb === 'create' ? NLM_F_EXCL : 0);

/** nft(8) shows it: an attribute of type 0 in the user data, 128 octets at most with its NUL. */
export const maxCommentOctets = 127;

function commentOctets(comment: string): Buffer {
  const text = Buffer.from(`${comment}\0`);
  if (text.length > maxCommentOctets + 1) throw new RangeError(`the comment is too long: ${comment}`);
  return Buffer.concat([Uint8Array.of(0, text.length), text]);
}

/** First and last key of an element: each part of a concatenation begins at 32 bits. */
function boundsOf(key: Json, parts: readonly DataType[]): { first: Buffer; last: Buffer } {
  const concat = (key as { concat?: readonly Json[] } | null)?.concat;
  const values = Array.isArray(concat) ? concat : [key];
  const firsts: Buffer[] = [];
  const lasts: Buffer[] = [];
  for (const [index, part] of parts.entries()) {
    const value = values[index] ?? null;
    const range = (value as { range?: readonly Json[] } | null)?.range;
    const [low, high] = Array.isArray(range) ? range : [value, value];
    firsts.push(padded(octetsOf(low ?? null, part), parts.length));
    lasts.push(padded(octetsOf(high ?? null, part), parts.length));
  }
  return { first: Buffer.concat(firsts), last: Buffer.concat(lasts) };
}

function padded(octets: Buffer, parts: number): Buffer {
  if (parts === 1 || octets.length % 4 === 0) return octets;
  return Buffer.concat([octets, Buffer.alloc(roundedUp(octets.length) - octets.length)]);
}

/** The key after this one; null after the last. */
function after(octets: Buffer): Buffer | null {
  const next = Buffer.from(octets);
  for (let at = next.length - 1; at >= 0; at--) {
    next[at] = ((next[at] ?? 0) + 1) & 0xff;
    if (next[at] !== 0) return next;
  }
  return null;
}
