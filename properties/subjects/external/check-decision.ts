/**
 * Holds somebody's program to a decision: first the published vectors, whose verdicts no code of ours made,
 * then generated inputs, on which it is compared with the reference.
 */
import { type Answer, type Ask, type Conversation, converse } from './conversation.ts';
import { type Finding, loadMaterial, type Question, type Talk } from './material.ts';

export interface Difference extends Finding {
  /** The vector's id, or `generated`. */
  readonly source: string;
}

export interface DecisionCheck {
  /** All conversations as one: the first that fails is the last. */
  readonly conversation: Conversation;
  /** How many processes were started: one for each configuration. */
  readonly processes: number;
  readonly vectors: number;
  /** Generated inputs; of a step decision, generated lives. */
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

/** Talks that go on at a time: enough to fill the pipe, few enough for the states in flight. */
const talksAtOnce = 256;

/** @throws CodedError `unknown-decision` when nothing here can judge it */
export async function checkDecision(options: CheckOptions): Promise<DecisionCheck> {
  const { decision, runs, seed } = options;
  const material = await loadMaterial(decision);
  const vectors = material.vectors();
  const generated = await material.generate({ inputs: runs, seed });
  const sittings = Map.groupBy([...vectors, ...generated], ({ config }) => JSON.stringify(config));
  const differences: Difference[] = [];
  let conversation: Conversation | null = null;
  let processes = 0;
  for (const questions of sittings.values()) {
    const sitting = new Sitting(questions, material.continues, differences);
    const held = await converse(options.command, sitting.script(), {
      ...options,
      config: questions[0]?.config,
    });
    conversation = conversation === null ? held : joined(conversation, held);
    processes += 1;
    if (held.outcome !== 'answered') break;
  }
  if (conversation === null) throw new Error(`the material of ${decision} asks nothing`);
  const order = new Map(vectors.map(({ source }, index) => [source, index]));
  const place = ({ source }: Difference) => order.get(source) ?? vectors.length;
  return {
    conversation,
    processes,
    vectors: new Set(vectors.map(({ source }) => source)).size,
    generated: generated.length,
    differences: differences.sort((a, b) => place(a) - place(b)),
  };
}

function joined(before: Conversation, last: Conversation): Conversation {
  return {
    ...last,
    answered: before.answered + last.answered,
    refused: before.refused + last.refused,
    stderr: before.stderr.length > 0 ? before.stderr : last.stderr,
    seconds: before.seconds + last.seconds,
  };
}

/** The questions of one configuration: each is a talk, and each answer goes to the talk that waits for it. */
class Sitting {
  readonly #questions: readonly Question[];
  readonly #continues: boolean;
  readonly #differences: Difference[];
  /** By id of the case that was asked last. */
  readonly #waiting = new Map<number, { readonly source: string; readonly talk: Talk }>();
  #next = 0;

  constructor(questions: readonly Question[], continues: boolean, differences: Difference[]) {
    this.#questions = questions;
    this.#continues = continues;
    this.#differences = differences;
  }

  script() {
    const inputs: unknown[] = [];
    const ask: Ask = (input) => inputs.push(input) - 1;
    const first = this.#continues ? talksAtOnce : this.#questions.length;
    while (this.#next < this.#questions.length && inputs.length < first) this.#begin(ask);
    return {
      inputs,
      continues: this.#continues,
      hear: (id: number, answer: Answer, askMore: Ask) => this.#hear(id, answer, askMore),
    };
  }

  #begin(ask: Ask): void {
    const question = this.#questions[this.#next++];
    if (question === undefined) return;
    const { source } = question;
    const talk = question.talk();
    this.#goOn(source, talk, talk.next(), ask);
  }

  #hear(id: number, answer: Answer, ask: Ask): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const { source, talk } = waiting;
    this.#goOn(source, talk, talk.next(answer), ask);
  }

  /** A talk that has come to its end makes room for the next one. */
  #goOn(source: string, talk: Talk, step: ReturnType<Talk['next']>, ask: Ask): void {
    if (step.done !== true) {
      this.#waiting.set(ask(step.value), { source, talk });
      return;
    }
    if (step.value !== null) this.#differences.push({ source, ...step.value });
    if (this.#continues) this.#begin(ask);
  }
}
