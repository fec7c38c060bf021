/**
 * Lets a model that calls a subject in place run against a program that answers over a pipe: it runs again
 * from its start with the answers that are known, up to the first question that is not.
 */
import type { DecisionName } from '../../protocol/decisions.ts';
import type { Subject } from '../subject.ts';
import type { Answer } from './conversation.ts';
import { judgeAnswer } from './expectation.ts';
import type { Finding, Talk } from './material.ts';

/** Ends a run at a question whose answer is not known yet. */
class Unanswered extends Error {
  readonly input: unknown;

  constructor(input: unknown) {
    super('not answered yet');
    this.input = input;
  }
}

/** No model asks more: a program that never comes to an end is cut off by the model before. */
const maxQuestions = 1_000;

/** `run` must be deterministic, let errors pass, and ask `name` alone, under one configuration. */
export function* replayed(name: DecisionName, run: (subject: Subject) => Finding | null): Talk {
  const outputs: unknown[] = [];
  for (let count = 0; count < maxQuestions; count++) {
    let next = 0;
    const subject: Subject = {
      name: 'external',
      decide: () => (input) => {
        const place = next++;
        if (place === outputs.length) throw new Unanswered(structuredClone(input));
        // The model owns what it gets: it may change a state in place.
        return structuredClone(outputs[place]) as never;
      },
    };
    let question: unknown;
    try {
      return run(subject);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      question = error.input;
    }
    const answer: Answer = yield question;
    const wrong = outsideTheSchema(name, answer, question);
    if (wrong !== null || 'refusal' in answer) return wrong;
    outputs.push(answer.output);
  }
  throw new Error(`a model of ${name} asked more than ${maxQuestions} questions`);
}

/** A refused case, or an output that no model can go on with. */
function outsideTheSchema(name: DecisionName, answer: Answer, input: unknown): Finding | null {
  const seen = () => ({});
  const expected = { oneOf: [{}] as const, rule: `the output schema of ${name}` };
  return judgeAnswer(name, seen, answer, input, expected);
}
