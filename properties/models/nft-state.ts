/**
 * What nf_tables holds, as JSON of libnftables, and what a transaction makes of it.
 * Invariant: a transaction is done whole or not at all; a state is never changed, the next one shares what
 * stayed as it was. Errors are the kernel's: EEXIST, ENOENT, EBUSY, ENFILE; EOPNOTSUPP is this model's own.
 */
import { keyText, overlaps, parsedKey } from './nft-elements.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Fields = { readonly [key: string]: Json };

export interface StoredRule {
  readonly handle: number;
  readonly expr: readonly Json[];
  readonly comment: string | null;
}

export interface StoredChain {
  readonly name: string;
  /** type, hook, prio, policy, dev; empty: a regular chain. */
  readonly base: Fields;
  readonly rules: readonly StoredRule[];
}

export interface StoredElement {
  /** As it was written. */
  readonly elem: Json;
  /** Of a map: what stands beside the key. */
  readonly data: string;
}

export interface StoredSet {
  readonly kind: 'set' | 'map';
  readonly name: string;
  readonly properties: Fields;
  readonly interval: boolean;
  readonly elements: ReadonlyMap<string, StoredElement>;
}

export interface StoredTable {
  readonly family: string;
  readonly name: string;
  readonly chains: ReadonlyMap<string, StoredChain>;
  readonly sets: ReadonlyMap<string, StoredSet>;
}

export interface NftState {
  readonly tables: ReadonlyMap<string, StoredTable>;
  readonly nextHandle: number;
}

export const emptyState: NftState = { tables: new Map(), nextHandle: 1 };

/** Of the whole transaction; `command` counts from 0. */
export interface NftError {
  readonly errno: 'EEXIST' | 'ENOENT' | 'EBUSY' | 'ENFILE' | 'EOPNOTSUPP';
  readonly command: number;
  readonly what: string;
}

export type Applied = { readonly state: NftState; readonly error: NftError | null };

class Refused extends Error {
  readonly errno: NftError['errno'];

  constructor(errno: NftError['errno'], what: string) {
    super(what);
    this.errno = errno;
  }
}

export interface KernelFacts {
  /** Devices that are there: an ingress chain cannot be made for another one. */
  readonly devices: ReadonlySet<string>;
}

/** What the kernel holds after the transaction; on an error what it held before. */
export function applyTransaction(state: NftState, commands: readonly Json[], facts: KernelFacts): Applied {
  const draft = new Draft(state, facts);
  for (const [command, entry] of commands.entries()) {
    try {
      draft.run(entry);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { state, error: { errno: error.errno, command, what: error.message } };
    }
  }
  return { state: draft.state(), error: null };
}

/** A device went: Linux before 6.16 drops its ingress chains, later ones keep them. */
export function withoutDevice(state: NftState, device: string, chainsStay: boolean): NftState {
  if (chainsStay) return state;
  const tables = new Map(state.tables);
  for (const [key, table] of tables) {
    const chains = new Map([...table.chains].filter(([, { base }]) => base.dev !== device));
    tables.set(key, { ...table, chains });
  }
  return { ...state, tables };
}

const members = (value: Json | undefined): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const listOf = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]) : value === undefined ? [] : [value];

const setProperties = ['type', 'map', 'flags', 'size', 'timeout', 'gc-interval'] as const;
const baseProperties = ['type', 'hook', 'prio', 'policy', 'dev'] as const;

function chosen(fields: Fields, keys: readonly string[]): Fields {
  return Object.fromEntries(
    keys.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key] as Json]),
  );
}

class Draft {
  readonly #tables: Map<string, StoredTable>;
  readonly #facts: KernelFacts;
  #nextHandle: number;

  constructor({ tables, nextHandle }: NftState, facts: KernelFacts) {
    this.#tables = new Map(tables);
    this.#nextHandle = nextHandle;
    this.#facts = facts;
  }

  state(): NftState {
    return { tables: this.#tables, nextHandle: this.#nextHandle };
  }

  run(entry: Json): void {
    const [verb = ''] = Object.keys(members(entry));
    const object = members(members(entry)[verb]);
    const [kind = ''] = Object.keys(object);
    const fields = members(object[kind]);
    if (verb === 'add' || verb === 'create' || verb === 'insert') this.#add(verb, kind, fields);
    else if (verb === 'delete') this.#delete(kind, fields);
    else if (verb === 'flush') this.#flush(kind, fields);
    else throw new Refused('EOPNOTSUPP', `command ${verb}`);
  }

  #add(verb: 'add' | 'create' | 'insert', kind: string, fields: Fields): void {
    const create = verb === 'create';
    if (kind === 'table') this.#addTable(create, fields);
    else if (kind === 'chain') this.#addChain(create, fields);
    else if (kind === 'set' || kind === 'map') this.#addSet(create, kind, fields);
    else if (kind === 'element') this.#addElements(create, fields);
    else if (kind === 'rule') this.#addRule(verb === 'insert', fields);
    else throw new Refused('EOPNOTSUPP', `${verb} ${kind}`);
  }

  #addTable(create: boolean, { family, name }: Fields): void {
    const key = `${String(family)} ${String(name)}`;
    if (!this.#tables.has(key)) {
      const table = { family: String(family), name: String(name), chains: new Map(), sets: new Map() };
      this.#tables.set(key, table);
    } else if (create) throw new Refused('EEXIST', `table ${key}`);
  }

  #table({ family, table }: Fields): StoredTable {
    const found = this.#tables.get(`${String(family)} ${String(table)}`);
    if (found === undefined) throw new Refused('ENOENT', `table ${String(family)} ${String(table)}`);
    return found;
  }

  #put(table: StoredTable): void {
    this.#tables.set(`${table.family} ${table.name}`, table);
  }

  #putChain(table: StoredTable, chain: StoredChain): void {
    this.#put({ ...table, chains: new Map(table.chains).set(chain.name, chain) });
  }

  #putSet(table: StoredTable, set: StoredSet): void {
    this.#put({ ...table, sets: new Map(table.sets).set(set.name, set) });
  }

  #addChain(create: boolean, fields: Fields): void {
    const table = this.#table(fields);
    const name = String(fields.name);
    const base = chosen(fields, baseProperties);
    const before = table.chains.get(name);
    if (before !== undefined) {
      const hook = base.hook !== undefined && base.hook !== before.base.hook;
      if (create || hook) throw new Refused('EEXIST', `chain ${name}`);
      return;
    }
    if (base.hook === 'ingress' && !this.#facts.devices.has(String(base.dev)))
      throw new Refused('ENOENT', `chain ${name}: device ${String(base.dev)}`);
    this.#putChain(table, { name, base, rules: [] });
  }

  #addSet(create: boolean, kind: 'set' | 'map', fields: Fields): void {
    const table = this.#table(fields);
    const name = String(fields.name);
    const properties = chosen(fields, setProperties);
    const before = table.sets.get(name);
    if (before !== undefined) {
      const same = JSON.stringify(before.properties) === JSON.stringify(properties);
      if (create || !same) throw new Refused('EEXIST', `${kind} ${name}`);
      return;
    }
    const interval = listOf(properties.flags).includes('interval');
    this.#putSet(table, { kind, name, properties, interval, elements: new Map() });
  }

  #set(fields: Fields): { table: StoredTable; set: StoredSet } {
    const table = this.#table(fields);
    const set = table.sets.get(String(fields.name));
    if (set === undefined) throw new Refused('ENOENT', `set ${String(fields.name)}`);
    return { table, set };
  }

  #addElements(create: boolean, fields: Fields): void {
    const { table, set } = this.#set(fields);
    const elements = new Map(set.elements);
    for (const elem of listOf(fields.elem)) {
      const [key, data] = set.kind === 'map' ? pairOf(elem) : [elem, ''];
      const text = keyText(key);
      const before = elements.get(text);
      if (before !== undefined) {
        if (create || before.data !== data) throw new Refused('EEXIST', `element ${text} of ${set.name}`);
        continue;
      }
      const verdict = set.kind === 'map' ? members(pairTarget(elem)) : {};
      for (const target of targetsOf(verdict)) this.#chain(table, target);
      if (set.interval) {
        const range = parsedKey(key);
        const clash = [...elements.values()].find((other) => overlaps(range, parsedKey(other.elem)));
        if (clash !== undefined) throw new Refused('EEXIST', `element ${text} of ${set.name} overlaps`);
      }
      elements.set(text, { elem, data });
      const { size } = set.properties;
      if (typeof size === 'number' && elements.size > size) throw new Refused('ENFILE', `set ${set.name}`);
    }
    this.#putSet(table, { ...set, elements });
  }

  #chain(table: StoredTable, name: string): StoredChain {
    const chain = table.chains.get(name);
    if (chain === undefined) throw new Refused('ENOENT', `chain ${name}`);
    return chain;
  }

  #addRule(first: boolean, fields: Fields): void {
    const table = this.#table(fields);
    const chain = this.#chain(table, String(fields.chain));
    const expr = listOf(fields.expr);
    for (const target of expr.flatMap((one) => targetsOf(members(one)))) this.#chain(table, target);
    for (const name of setsNamed(expr)) {
      if (!table.sets.has(name)) throw new Refused('ENOENT', `set ${name}`);
    }
    const comment = typeof fields.comment === 'string' ? fields.comment : null;
    const rule = { handle: this.#nextHandle, expr, comment };
    this.#nextHandle += 1;
    const rules = first ? [rule, ...chain.rules] : [...chain.rules, rule];
    this.#putChain(table, { ...chain, rules });
  }

  #delete(kind: string, fields: Fields): void {
    if (kind === 'table') {
      const key = `${String(fields.family)} ${String(fields.name)}`;
      if (!this.#tables.delete(key)) throw new Refused('ENOENT', `table ${key}`);
      return;
    }
    const table = this.#table(fields);
    if (kind === 'chain') this.#deleteChain(table, String(fields.name));
    else if (kind === 'set' || kind === 'map') this.#deleteSet(fields);
    else if (kind === 'element') this.#deleteElements(fields);
    else if (kind === 'rule') this.#deleteRule(table, fields);
    else throw new Refused('EOPNOTSUPP', `delete ${kind}`);
  }

  /** A chain goes with its own rules, unless a rule or an element elsewhere leads to it. */
  #deleteChain(table: StoredTable, name: string): void {
    this.#chain(table, name);
    const chains = new Map(table.chains);
    chains.delete(name);
    const rules = [...chains.values()].flatMap((chain) => chain.rules);
    const byRule = rules.some(({ expr }) => expr.some((one) => targetsOf(members(one)).includes(name)));
    const byElement = [...table.sets.values()]
      .filter(({ kind }) => kind === 'map')
      .some(({ elements }) =>
        [...elements.values()].some(({ elem }) => targetsOf(members(pairTarget(elem))).includes(name)),
      );
    if (byRule || byElement) throw new Refused('EBUSY', `chain ${name}`);
    this.#put({ ...table, chains });
  }

  #deleteSet(fields: Fields): void {
    const { table, set } = this.#set(fields);
    const rules = [...table.chains.values()].flatMap((chain) => chain.rules);
    if (rules.some(({ expr }) => setsNamed(expr).includes(set.name)))
      throw new Refused('EBUSY', `set ${set.name}`);
    const sets = new Map(table.sets);
    sets.delete(set.name);
    this.#put({ ...table, sets });
  }

  #deleteElements(fields: Fields): void {
    const { table, set } = this.#set(fields);
    const elements = new Map(set.elements);
    for (const elem of listOf(fields.elem)) {
      const text = keyText(set.kind === 'map' ? pairOf(elem)[0] : elem);
      if (!elements.delete(text)) throw new Refused('ENOENT', `element ${text} of ${set.name}`);
    }
    this.#putSet(table, { ...set, elements });
  }

  #deleteRule(table: StoredTable, fields: Fields): void {
    const chain = this.#chain(table, String(fields.chain));
    const rules = chain.rules.filter(({ handle }) => handle !== fields.handle);
    if (rules.length === chain.rules.length) throw new Refused('ENOENT', `rule ${String(fields.handle)}`);
    this.#putChain(table, { ...chain, rules });
  }

  #flush(kind: string, fields: Fields): void {
    if (kind === 'ruleset') {
      this.#tables.clear();
      return;
    }
    if (kind === 'set' || kind === 'map') {
      const { table, set } = this.#set(fields);
      this.#putSet(table, { ...set, elements: new Map() });
      return;
    }
    const table = this.#table(kind === 'table' ? { ...fields, table: fields.name ?? null } : fields);
    if (kind === 'chain') this.#putChain(table, { ...this.#chain(table, String(fields.name)), rules: [] });
    else if (kind === 'table') {
      const chains = [...table.chains].map(([name, chain]) => [name, { ...chain, rules: [] }] as const);
      this.#put({ ...table, chains: new Map(chains) });
    } else throw new Refused('EOPNOTSUPP', `flush ${kind}`);
  }
}

const pairOf = (elem: Json): [key: Json, data: string] => {
  const [key = null, data = null] = listOf(elem);
  return [key, JSON.stringify(data)];
};
const pairTarget = (elem: Json): Json => listOf(elem)[1] ?? null;

/** Chains that a statement or a verdict leads to. */
function targetsOf(statement: Fields): string[] {
  return ['jump', 'goto'].flatMap((verb) => {
    const { target } = members(statement[verb]);
    return typeof target === 'string' ? [target] : [];
  });
}

/** Sets that a rule names with @. */
function setsNamed(expr: Json): string[] {
  if (typeof expr === 'string') return expr.startsWith('@') ? [expr.slice(1)] : [];
  if (typeof expr !== 'object' || expr === null) return [];
  return (Array.isArray(expr) ? expr : Object.values(expr)).flatMap((one) => setsNamed(one as Json));
}
