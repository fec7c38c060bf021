/**
 * One ruleset, whoever described it: tables, chains, rules and sets at the level of the kernel's own
 * expressions and registers. Both readers make this; the evaluator reads nothing else.
 */

export type Family = 'inet' | 'ip' | 'ip6' | 'arp' | 'bridge' | 'netdev';
export type Hook = 'ingress' | 'egress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

export interface Ruleset {
  readonly tables: readonly Table[];
}

export interface Table {
  readonly family: Family;
  readonly name: string;
  /** A dormant table hooks nothing. */
  readonly dormant: boolean;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly objects: ReadonlyMap<string, StatefulObject>;
}

export interface Chain {
  readonly name: string;
  /** null: a regular chain, reached by jump and goto only. */
  readonly base: BaseChain | null;
  readonly rules: readonly Rule[];
}

export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: Hook;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
  /** Of ingress and egress chains; empty otherwise. */
  readonly devices: readonly string[];
}

export interface Rule {
  readonly handle: number;
  readonly expressions: readonly Expression[];
}

export interface StatefulObject {
  readonly name: string;
  readonly type: string;
}

export type Bytes = readonly number[];

export interface NftSet {
  readonly name: string;
  /** Written by the packet path (`add @set`), so that its contents depend on earlier packets. */
  readonly dynamic: boolean;
  readonly keyBytes: number;
  /** Bytes of each field of a concatenation, without padding; of a plain key, its one length. */
  readonly fieldBytes: readonly number[];
  readonly holds: 'keys' | 'values' | 'verdicts' | 'objects';
  readonly elements: readonly SetElement[];
  /** The `*` element. */
  readonly catchAll: SetElement | null;
}

export interface SetElement {
  /** First and last key, inclusive; of a concatenation each field is a range of its own. */
  readonly from: Bytes;
  readonly to: Bytes;
  readonly value: Bytes | null;
  readonly verdict: Verdict | null;
  /** Stateful expressions of the element (counter, limit …), run when it matches. */
  readonly expressions: readonly Expression[];
}

export type Verdict =
  | { readonly code: 'accept' | 'drop' | 'continue' | 'return' | 'break' | 'queue' | 'stolen' }
  | { readonly code: 'jump' | 'goto'; readonly chain: string };

export type PayloadBase = 'link' | 'network' | 'transport' | 'inner';

/** Registers are numbers of 32-bit words, 0 to 15. Constants are bytes as they lie in registers. */
export type Expression =
  | {
      readonly kind: 'payload';
      readonly base: PayloadBase;
      readonly offset: number;
      readonly length: number;
      readonly to: number;
    }
  | {
      readonly kind: 'payload-set';
      readonly base: PayloadBase;
      readonly offset: number;
      readonly length: number;
      readonly from: number;
    }
  | { readonly kind: 'meta'; readonly key: string; readonly to: number }
  | { readonly kind: 'meta-set'; readonly key: string; readonly from: number }
  | {
      readonly kind: 'ct';
      readonly key: string;
      readonly direction: 'original' | 'reply' | null;
      readonly to: number;
    }
  | { readonly kind: 'ct-set'; readonly key: string; readonly from: number }
  | {
      readonly kind: 'compare';
      readonly op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
      readonly from: number;
      readonly value: Bytes;
    }
  | {
      readonly kind: 'range';
      readonly inverted: boolean;
      readonly from: number;
      readonly first: Bytes;
      readonly last: Bytes;
    }
  | {
      readonly kind: 'mask';
      readonly from: number;
      readonly to: number;
      readonly and: Bytes;
      readonly xor: Bytes;
    }
  | {
      readonly kind: 'shift';
      readonly way: 'left' | 'right';
      readonly by: number;
      readonly length: number;
      readonly from: number;
      readonly to: number;
    }
  | {
      readonly kind: 'byteorder';
      readonly length: number;
      readonly size: number;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'constant'; readonly to: number; readonly value: Bytes }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | {
      readonly kind: 'lookup';
      readonly set: string;
      readonly from: number;
      readonly inverted: boolean;
      /** null: only membership; `verdict`: a verdict map. */
      readonly to: number | 'verdict' | null;
    }
  | {
      readonly kind: 'fib';
      readonly result: 'oif' | 'oifname' | 'type';
      readonly present: boolean;
      readonly flags: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif')[];
      readonly to: number;
    }
  | {
      readonly kind: 'exthdr';
      readonly op: string;
      readonly type: number;
      readonly offset: number;
      readonly length: number;
      readonly present: boolean;
      readonly to: number;
    }
  | {
      readonly kind: 'nat';
      readonly manipulates: 'source' | 'destination';
      readonly family: 4 | 6 | null;
      readonly address: { readonly first: number; readonly last: number } | null;
      readonly port: { readonly first: number; readonly last: number } | null;
      readonly flags: number;
    }
  | {
      readonly kind: 'masquerade' | 'redirect';
      readonly port: { readonly first: number; readonly last: number } | null;
      readonly flags: number;
    }
  | { readonly kind: 'reject' }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'queue' }
  /** Passes or not, by what came before: limit, quota, connection counts. */
  | { readonly kind: 'either'; readonly name: string }
  /** Neither verdict nor header depends on it: counter, log, last, comments. */
  | { readonly kind: 'effect'; readonly name: string }
  | { readonly kind: 'match'; readonly name: string; readonly revision: number; readonly info: Bytes }
  | { readonly kind: 'target'; readonly name: string; readonly revision: number; readonly info: Bytes }
  | { readonly kind: 'unknown'; readonly name: string };

/** An expression that this oracle does not understand; where a packet reaches it, there is no verdict. */
export class NotUnderstood extends Error {
  readonly expression: string;
  readonly where: string;

  constructor(expression: string, where: string) {
    super(`${where}: ${expression} is not understood`);
    this.name = 'NotUnderstood';
    this.expression = expression;
    this.where = where;
  }
}
