/**
 * What a decision looks like from outside: three JSON schemas and an equality rule.
 * One TypeBox source gives the TypeScript types, the published JSON schemas and the validators.
 */
import type { Static, TSchema } from 'typebox';

export interface Decision<
  C extends TSchema = TSchema,
  I extends TSchema = TSchema,
  O extends TSchema = TSchema,
> {
  /** Public name, as in `pnpm subject reference <name>`. */
  readonly name: string;
  /** One sentence for docs and --help. */
  readonly summary: string;
  /** Sent once, in the first line of the protocol: policy, limits. */
  readonly config: C;
  readonly input: I;
  readonly output: O;
  /**
   * When are two outputs the same decision? Names of top-level output fields that are compared;
   * the others (rule, explanation) inform only.
   */
  readonly equality: readonly string[];
  /** A config and an input that work: shown in docs, sent by the protocol test. */
  readonly example: { readonly config: Static<C>; readonly input: Static<I> };
}

export function defineDecision<C extends TSchema, I extends TSchema, O extends TSchema>(
  decision: Decision<C, I, O>,
): Decision<C, I, O> {
  return decision;
}

export type ConfigOf<D> = D extends Decision<infer C, TSchema, TSchema> ? Static<C> : never;
export type InputOf<D> = D extends Decision<TSchema, infer I, TSchema> ? Static<I> : never;
export type OutputOf<D> = D extends Decision<TSchema, TSchema, infer O> ? Static<O> : never;

/** A decision bound to its configuration. Total: it never throws on an input that its schema accepts. */
export type Bound<D> = (input: InputOf<D>) => OutputOf<D>;

/**
 * What a subject's file `subjects/<subject>/<decision>.ts` exports as `bind`.
 * Throws CodedError when the configuration is refused.
 */
export type Bind<D> = (config: ConfigOf<D>) => Bound<D>;

/**
 * Step decisions (state machines without I/O) carry their state through the protocol. It is the subject's
 * own: null at first, JSON, handed back unread with the next event. The harness never branches or reuses an
 * old state.
 */
export type OpaqueState = unknown;
