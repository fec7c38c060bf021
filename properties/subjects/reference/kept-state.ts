/**
 * The state of a step decision comes back through the protocol as JSON that anybody may have written.
 * Invariant: the reference is handed a state of its own shape or none. One that it made itself is known by
 * identity, so that only what came from outside is looked through.
 */
import { Ajv } from 'ajv';
import type { TSchema } from 'typebox';

export interface KeptState<State extends object> {
  /** null for `null` and for everything that is no state: the decision starts, or starts denied. */
  recall(state: unknown): State | null;
  /** Before it is handed out. */
  keep(state: State): State;
}

export function keptState<State extends object>(schema: TSchema): KeptState<State> {
  const accepts = new Ajv({ strict: false }).compile(schema);
  const own = new WeakSet<object>();
  return {
    recall(state) {
      if (typeof state !== 'object' || state === null) return null;
      return own.has(state) || accepts(state) ? (state as State) : null;
    },
    keep(state) {
      own.add(state);
      return state;
    },
  };
}
