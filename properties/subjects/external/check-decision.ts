/**
 * Holds somebody's program to a decision: first the published vectors, whose verdicts no code of ours made,
 * then generated inputs, on which it is compared with the reference.
 */
import { type Answer, type Ask, type Conversation, converse, type Script } from './conversation.ts';
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
  /** How many of each were decided otherwise. */
  readonly otherwise: { readonly vectors: number; readonly generated: number };
  /** What was decided otherwise, vectors first; no more than `keptDifferences`. */
  readonly differences: readonly Difference[];
}

/** A program that is wrong a million times is told so once, and shown these. */
export const keptDifferences = 10_000;

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
  const found = new Differences();
  let conversation: Conversation | null = null;
  let processes = 0;
  for (const questions of sittings.values()) {
    const sitting = new Sitting(questions, material.continues, found);
    const held = await converse(options.command, sitting.script(), {
      ...options,
      config: questions[0]?.config,
    });
    conversation = conversation === null ? held : joined(conversation, held);
    processes += 1;
    if (held.outcome !== 'answered') break;
  }
  if (conversation === null) throw new Error(`the material of ${decision} asks nothing`);
  return {
    conversation,
    processes,
    vectors: new Set(vectors.map(({ source }) => source)).size,
    generated: generated.length,
    otherwise: { vectors: found.vectors.size, generated: found.generated },
    differences: found.inOrder(vectors),
  };
}

class Differences {
  readonly vectors = new Set<string>();
  generated = 0;
  readonly #kept: Difference[] = [];

  add(difference: Difference): void {
    if (difference.source === 'generated') this.generated += 1;
    else this.vectors.add(difference.source);
    if (this.#kept.length < keptDifferences) this.#kept.push(difference);
  }

  /** Vectors as the corpus has them, what was generated after them. */
  inOrder(vectors: readonly Question[]): readonly Difference[] {
    const order = new Map(vectors.map(({ source }, index) => [source, index]));
    const place = ({ source }: Difference) => order.get(source) ?? vectors.length;
    return this.#kept.toSorted((a, b) => place(a) - place(b));
  }
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
  readonly #differences: Differences;
  /** By id of the case that was asked last. */
  readonly #waiting = new Map<number, { readonly source: string; readonly talk: Talk }>();
  #next = 0;

  constructor(questions: readonly Question[], continues: boolean, differences: Differences) {
    this.#questions = questions;
    this.#continues = continues;
    this.#differences = differences;
  }

  script(): Script {
    const all = this.#questions.length;
    const count = this.#continues ? Math.min(all, talksAtOnce) : all;
    return {
      inputs: this.#firstInputs(count),
      count,
      continues: this.#continues,
      hear: (id, answer, ask) => this.#hear(id, answer, ask),
    };
  }

  /** The first question of each of the first talks, begun when its turn comes. */
  *#firstInputs(count: number): Generator<unknown> {
    let id = 0;
    while (id < count && this.#next < this.#questions.length) {
      const asked: unknown[] = [];
      this.#begin((input) => {
        asked.push(input);
        return id;
      });
      // A talk that knows without asking has nothing to send.
      if (asked.length === 0) continue;
      id += 1;
      yield asked[0];
    }
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
    if (step.value !== null) this.#differences.add({ source, ...step.value });
    if (this.#continues) this.#begin(ask);
  }
}
