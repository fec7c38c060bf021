/**
 * Questions whose right answer is the reference's: single inputs, and lives of a state machine, event by
 * event, with the program's own state carried along and the reference's carried beside it.
 */
import type { Decision } from '../../protocol/decision.ts';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import { type ErasedBind, importBinds } from '../load-subject.ts';
import {
  asJson,
  comparedBy,
  type Expected,
  type Fields,
  judgeAnswer,
  type Seen,
  single,
} from './expectation.ts';
import type { Budget, Finding, Question, Talk } from './material.ts';
import { type Recorded, recordedInputs } from './recorded-inputs.ts';

type Bound = (input: unknown) => Fields;

export interface Comparison {
  /** What of an output is compared; default: the equality rule. */
  readonly seen?: Seen;
  /** Other answers that are as right as the reference's. */
  readonly alsoRight?: (reference: Bound, input: unknown) => readonly Fields[];
}

/** The reference, bound once for each configuration. */
async function referenceOf(name: DecisionName): Promise<(config: object) => Bound> {
  const bind = (await importBinds('reference', [name])).get(name) as ErasedBind;
  const bound = new Map<string, Bound>();
  return (config) => {
    const key = JSON.stringify(config);
    const known = bound.get(key) ?? (bind(config as never) as Bound);
    bound.set(key, known);
    return known;
  };
}

/** Single cases; expected is what the reference answers. */
export async function inputsLikeReference(
  name: DecisionName,
  asked: readonly Recorded[],
  { seen = comparedBy(name), alsoRight = () => [] }: Comparison = {},
): Promise<Question[]> {
  const reference = await referenceOf(name);
  return asked.flatMap(({ config, inputs }) => {
    const bound = reference(config);
    return inputs.map((input) => {
      const expected = (): Expected => {
        const output = bound(input);
        const others = alsoRight(bound, input).map(seen);
        return { oneOf: [seen(output), ...others], rule: String(output.rule) };
      };
      return single(name, { source: 'generated', config, input, seen, expected });
    });
  });
}

/** Names that a subject gives in its outputs and hears again in later events. */
export interface OwnNames {
  /** In the order of the output. */
  readonly given: (output: Fields) => readonly string[];
  /** The event with the names that it holds replaced. */
  readonly renamed: (event: Fields, own: ReadonlyMap<string, string>) => Fields;
}

export interface LifeComparison {
  readonly seen?: Seen;
  readonly names?: OwnNames;
}

const noNames: OwnNames = { given: () => [], renamed: (event) => event };

/** Lives of a step decision: the talk ends at the first answer that differs. */
export async function livesLikeReference(
  name: DecisionName,
  lives: readonly Recorded[],
  { seen = comparedBy(name), names = noNames }: LifeComparison = {},
): Promise<Question[]> {
  const reference = await referenceOf(name);
  return lives.map(({ config, inputs: events }) => ({
    source: 'generated',
    config,
    *talk(): Talk {
      const bound = reference(config);
      const own = new Map<string, string>();
      let ours: unknown = null;
      let theirs: unknown = null;
      for (const [index, event] of events.entries()) {
        const wanted = asJson(bound({ state: ours, event }));
        const asked = names.renamed(event as Fields, own);
        const answer = yield { state: theirs, event: asked };
        const about = { event, after: events.slice(0, index) };
        const expected: Expected = { oneOf: [seen(wanted)], rule: String(wanted.rule) };
        const finding: Finding | null = judgeAnswer(name, seen, answer, about, expected);
        if (finding !== null || 'refusal' in answer) return finding;
        const output = answer.output as Fields;
        const given = names.given(output);
        for (const [place, ourName] of names.given(wanted).entries())
          own.set(ourName, given[place] ?? ourName);
        ours = wanted.state;
        theirs = output.state;
      }
      return null;
    },
  }));
}

/** What the claims of the decision ask, held to the reference. */
export function generateFromClaims(
  name: DecisionName,
  comparison: Comparison & LifeComparison = {},
): (budget: Budget) => Promise<Question[]> {
  const { example }: Decision = decisions[name];
  const isStep = 'event' in (example.input as object);
  return async (budget) => {
    const recorded = await recordedInputs(name, budget);
    return isStep
      ? livesLikeReference(name, recorded, comparison)
      : inputsLikeReference(name, recorded, comparison);
  };
}
