/** Compares an answer with what is expected of it: schema first, then the fields that make a decision. */
import { isDeepStrictEqual } from 'node:util';
import { Ajv } from 'ajv';
import type { Decision } from '../../protocol/decision.ts';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import type { Answer } from './conversation.ts';
import type { Finding, Question, Talk } from './material.ts';

export type Fields = Readonly<Record<string, unknown>>;
/** What of an output is compared. */
export type Seen = (output: Fields) => Fields;

export interface Expected {
  /** The first is what is shown; an answer that equals any of them is right. */
  readonly oneOf: readonly [Fields, ...Fields[]];
  readonly rule: string;
}

/** The fields that the equality rule of the decision names, in its order. */
export function comparedBy(name: DecisionName): Seen {
  const { equality }: Decision = decisions[name];
  return (output) => {
    const fields: Record<string, unknown> = {};
    for (const field of equality) if (output[field] !== undefined) fields[field] = output[field];
    return fields;
  };
}

const ajv = new Ajv({ strict: false });
const validators = new Map<DecisionName, ReturnType<Ajv['compile']>>();

/** Whether the decision's published output schema accepts it. */
function acceptsOutput(name: DecisionName, output: unknown): boolean {
  let accepts = validators.get(name);
  if (accepts === undefined) {
    accepts = ajv.compile(decisions[name].output);
    validators.set(name, accepts);
  }
  return accepts(output) === true;
}

const shownChars = 400;

/** What is wrong with an answer, or null. */
export function judgeAnswer(
  name: DecisionName,
  seen: Seen,
  answer: Answer,
  input: unknown,
  { oneOf, rule }: Expected,
): Finding | null {
  const finding = (got: unknown) => ({ input, expected: oneOf[0], got, rule });
  if ('refusal' in answer) return finding(`error: ${answer.refusal}`);
  const { output } = answer;
  if (!acceptsOutput(name, output)) {
    return finding(`outside the schema: ${JSON.stringify(output).slice(0, shownChars)}`);
  }
  const got = seen(output as Fields);
  return oneOf.some((one) => equalAsJson(one, got)) ? null : finding(got);
}

/** Nearly always the texts are the same; else the order of keys may differ. */
function equalAsJson(one: Fields, other: Fields): boolean {
  return JSON.stringify(one) === JSON.stringify(other) || isDeepStrictEqual(asJson(one), asJson(other));
}

/** As another process sees it: what JSON cannot carry is not there. */
export function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export interface SingleQuestion {
  readonly source: string;
  readonly config: unknown;
  readonly input: unknown;
  readonly seen: Seen;
  /** Found out when the answer is there. */
  readonly expected: () => Expected;
}

/** A question of one case. */
export function single(name: DecisionName, one: SingleQuestion): Question {
  const { source, config, input, seen, expected } = one;
  return {
    source,
    config,
    *talk(): Talk {
      return judgeAnswer(name, seen, yield input, input, expected());
    },
  };
}
