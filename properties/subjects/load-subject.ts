/**
 * Loads a built-in subject from `subjects/<name>/<decision>.ts` and binds its decisions, each answer held
 * against the decision's output schema.
 */
import { Ajv } from 'ajv';
import type { Bound, ConfigOf } from '../protocol/decision.ts';
import { type DecisionName, type Decisions, decisions } from '../protocol/decisions.ts';
import type { BuiltInSubject, Subject } from './subject.ts';

/** The subject threw, or answered what its output schema refuses: an outcome of its own, never "holds". */
export class SubjectFailure extends Error {
  readonly outcome: 'crashed' | 'garbage';

  constructor(outcome: 'crashed' | 'garbage', message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SubjectFailure';
    this.outcome = outcome;
  }
}

const ajv = new Ajv({ strict: false, allErrors: false });

/** A binding with its decision's types erased; `decide` gives them back. */
type ErasedBound = (input: never) => unknown;
export type ErasedBind = (config: never) => ErasedBound;

function guarded(subject: string, decision: DecisionName, bound: ErasedBound): ErasedBound {
  const accepts = ajv.compile(decisions[decision].output);
  return (input) => {
    let output: unknown;
    try {
      output = bound(input);
    } catch (cause) {
      throw new SubjectFailure('crashed', `${subject} threw in ${decision}: ${String(cause)}`, { cause });
    }
    if (!accepts(output)) {
      const where = ajv.errorsText(accepts.errors, { dataVar: 'output' });
      throw new SubjectFailure('garbage', `${subject} answered ${decision} outside its schema: ${where}`);
    }
    return output;
  };
}

/** Bind functions of a subject, by decision. */
export type Binds = ReadonlyMap<DecisionName, ErasedBind>;

/**
 * Imports the bind functions of a built-in subject. An absent file rejects with the import's error.
 * @param copy of a planted reference: what `plantCopy` answered
 */
export async function importBinds(
  name: BuiltInSubject,
  needed: readonly DecisionName[],
  copy = '',
): Promise<Binds> {
  const binds = new Map<DecisionName, ErasedBind>();
  for (const decision of needed) {
    const module = (await import(`./${name}/${decision}.ts${copy}`)) as { bind: ErasedBind };
    binds.set(decision, module.bind);
  }
  return binds;
}

/** A built-in subject, with the decisions that are needed. */
export async function loadSubject(name: BuiltInSubject, needed: readonly DecisionName[]): Promise<Subject> {
  return subjectFrom(name, await importBinds(name, needed));
}

/** A subject from its bind functions; bindings are cached by the identity of the config object. */
export function subjectFrom(name: string, binds: Binds): Subject {
  const cache = new Map<DecisionName, WeakMap<object, ErasedBound>>();
  return {
    name,
    decide<N extends DecisionName>(decision: N, config: ConfigOf<Decisions[N]>): Bound<Decisions[N]> {
      const byConfig = cache.get(decision) ?? new WeakMap<object, ErasedBound>();
      cache.set(decision, byConfig);
      let bound = byConfig.get(config);
      if (bound === undefined) {
        const bind = binds.get(decision);
        if (bind === undefined) throw new SubjectFailure('crashed', `${name} does not implement ${decision}`);
        bound = guarded(name, decision, bind(config as never));
        byConfig.set(config, bound);
      }
      return bound as Bound<Decisions[N]>;
    },
  };
}
