/**
 * Holds somebody's program to a decision: first the published vectors, whose verdicts no code of ours made,
 * then generated inputs, on which it is compared with the reference by the decision's equality rule.
 */

import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { CodedError } from '#reference/base/coded-error.ts';
import { addressArbitrary, emptyPolicy } from '../../arbitraries/addresses.ts';
import type { Decision } from '../../protocol/decision.ts';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import type { AddressVector } from '../../vectors/generate/addresses.ts';
import { loadCorpus } from '../../vectors/load-corpus.ts';
import { importBinds } from '../load-subject.ts';
import { type Conversation, converse, type ProtocolCase } from './conversation.ts';

/** What a decision's answers are held to. */
interface Material {
  readonly config: unknown;
  readonly vectors: readonly {
    readonly id: string;
    readonly input: unknown;
    readonly expected: object;
    readonly rule: string;
  }[];
  readonly inputs: fc.Arbitrary<unknown>;
}

/** Decisions with vectors of their own shape and a generator of single inputs. */
const materials: Partial<Record<DecisionName, () => Material>> = {
  'pin-address': () => ({
    config: emptyPolicy,
    vectors: loadCorpus<AddressVector>('addresses')
      .vectors.filter(({ config }) => Object.values(config).every((entries) => entries.length === 0))
      .map(({ id, input, verdict, pinnedAs, rule }) => ({
        id,
        input,
        expected: verdict === 'pin' ? { verdict, pinnedAs } : { verdict },
        rule,
      })),
    inputs: addressArbitrary.map((address) => ({ address })),
  }),
};

export const checkableDecisions = Object.keys(materials) as DecisionName[];

export interface Difference {
  /** The vector's id, or `generated`. */
  readonly source: string;
  readonly input: unknown;
  readonly expected: unknown;
  readonly got: unknown;
  readonly rule: string;
}

export interface DecisionCheck {
  readonly conversation: Conversation;
  readonly vectors: number;
  readonly generated: number;
  readonly differences: readonly Difference[];
}

export interface CheckOptions {
  readonly decision: string;
  readonly command: readonly string[];
  readonly runs: number;
  readonly seed: number;
  readonly answerTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws CodedError `unknown-decision` when nothing here can judge it */
export async function checkDecision(options: CheckOptions): Promise<DecisionCheck> {
  const name = options.decision as DecisionName;
  const material = materials[name]?.();
  if (material === undefined) {
    const valid = `valid: ${checkableDecisions.join(', ')}`;
    throw new CodedError('unknown-decision', `there is nothing to hold '${options.decision}' to`, valid);
  }
  const reference = (await importBinds('reference', [name])).get(name)?.(material.config as never);
  if (reference === undefined) throw new Error(`the reference has no ${name}`);
  const generated = fc.sample(material.inputs, { numRuns: options.runs, seed: options.seed });
  const asked = [...material.vectors.map(({ input }) => input), ...generated];
  const cases: ProtocolCase[] = asked.map((input, id) => ({ id, input }));
  const conversation = await converse(options.command, cases, { ...options, config: material.config });
  const judge = new Judge(decisions[name], conversation);
  const differences: Difference[] = [];
  for (const [id, { id: source, input, expected, rule }] of material.vectors.entries()) {
    judge.compare(id, expected, { source, input, rule }, differences);
  }
  for (const [index, input] of generated.entries()) {
    const output = reference(input as never) as { rule: string };
    judge.compare(
      material.vectors.length + index,
      output,
      { source: 'generated', input, rule: output.rule },
      differences,
    );
  }
  return { conversation, vectors: material.vectors.length, generated: generated.length, differences };
}

class Judge {
  readonly #decision: Decision;
  readonly #conversation: Conversation;
  readonly #accepts: ReturnType<Ajv['compile']>;

  constructor(decision: Decision, conversation: Conversation) {
    this.#decision = decision;
    this.#conversation = conversation;
    this.#accepts = new Ajv({ strict: false }).compile(decision.output);
  }

  /** What was not answered is told by the outcome of the conversation, not here. */
  compare(
    id: number,
    expected: object,
    about: Pick<Difference, 'source' | 'input' | 'rule'>,
    differences: Difference[],
  ): void {
    const refusal = this.#conversation.refused.get(id);
    if (refusal !== undefined) {
      differences.push({ ...about, expected: this.#compared(expected), got: `error: ${refusal}` });
      return;
    }
    const output = this.#conversation.outputs.get(id);
    if (output === undefined) return;
    if (!this.#accepts(output)) {
      differences.push({
        ...about,
        expected: this.#compared(expected),
        got: `outside the schema: ${JSON.stringify(output)}`,
      });
      return;
    }
    const [wanted, got] = [this.#compared(expected), this.#compared(output as object)];
    if (JSON.stringify(wanted) !== JSON.stringify(got)) differences.push({ ...about, expected: wanted, got });
  }

  /** The fields that the equality rule names, in its order. */
  #compared(output: object): Record<string, unknown> {
    const fields = output as Record<string, unknown>;
    return Object.fromEntries(
      this.#decision.equality.filter((name) => name in fields).map((name) => [name, fields[name]]),
    );
  }
}
