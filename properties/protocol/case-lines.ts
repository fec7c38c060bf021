/**
 * The subject protocol, our side as a subject: a header line, then a case a line, one answer a line
 * (docs/subject-protocol.md).
 * Bounded: a line has at most maxLineBytes octets; output waits for its reader.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { Ajv } from 'ajv';
import Type from 'typebox';
import { CodedError } from '#reference/base/coded-error.ts';
import type { ErasedBind } from '../subjects/load-subject.ts';
import type { Decision } from './decision.ts';

export const protocolVersion = 1;
export const maxLineBytes = 4 * 1024 * 1024;
const flushBytes = 64 * 1024;

export const headerSchema = Type.Object(
  {
    v: Type.Literal(protocolVersion),
    decision: Type.String({
      description: 'its public name: the subject refuses any other than the one it answers',
    }),
    config: Type.Unknown({ description: 'as in the config schema of the decision' }),
  },
  { $id: 'huskproof/protocol-header/v1' },
);

const id = Type.Union([Type.String(), Type.Integer()]);
export const caseSchema = Type.Object({ id, input: Type.Unknown() }, { $id: 'huskproof/protocol-case/v1' });
export const answerSchema = Type.Union(
  [
    Type.Object({ id, output: Type.Unknown(), rule: Type.Optional(Type.String()) }),
    Type.Object({
      id: Type.Union([id, Type.Null()]),
      error: Type.Object({ code: Type.String(), message: Type.String() }),
    }),
  ],
  { $id: 'huskproof/protocol-answer/v1' },
);

/**
 * Lines of a byte stream without their newline, all that have come in at a time: nothing more is there until
 * the next batch. A last line may lack its newline. Throws CodedError `line-too-long`.
 */
export async function* readLineBatches(input: AsyncIterable<Buffer | string>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineBytes || lines.some((line) => line.length > maxLineBytes)) throw tooLong();
    yield lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield [rest];
}

function tooLong(): CodedError {
  return new CodedError(
    'line-too-long',
    `a line exceeds ${maxLineBytes} octets`,
    'send one case a line, as JSON',
  );
}

export interface AnswerSummary {
  readonly answered: number;
  /** Lines that got an error instead of an output. */
  readonly refused: number;
}

/**
 * Answers every case of `input` on `output`, in order; whoever waits for an answer before the next case gets
 * it.
 * @param complain hears of each malformed line: its number and what was wrong
 * @throws CodedError `bad-header` when the first line is not the protocol's, or names another decision
 */
export async function answerCases(
  decision: Decision,
  bind: ErasedBind,
  input: AsyncIterable<Buffer | string>,
  output: Writable,
  complain: (line: number, message: string) => void,
): Promise<AnswerSummary> {
  const ajv = new Ajv({ strict: false });
  const acceptsInput = ajv.compile(decision.input);
  let bound: ((input: never) => unknown) | null = null;
  let line = 0;
  let answered = 0;
  let refused = 0;
  let buffer = '';
  const flush = async () => {
    const full = !output.write(buffer);
    buffer = '';
    if (full) await once(output, 'drain');
  };
  for await (const lines of readLineBatches(input)) {
    for (const text of lines) {
      line += 1;
      if (text.trim() === '') continue;
      if (bound === null) {
        bound = bind(readHeader(ajv, decision, text) as never);
        continue;
      }
      const answer = answerOne(text, bound, (value) =>
        acceptsInput(value) ? null : ajv.errorsText(acceptsInput.errors, { dataVar: 'input' }),
      );
      const { text: written, error } = lineOf(answer);
      if (error === null) answered += 1;
      else {
        refused += 1;
        complain(line, error);
      }
      buffer += `${written}\n`;
      if (buffer.length > flushBytes) await flush();
    }
    if (buffer !== '') await flush();
  }
  if (bound === null) throw badHeader(decision, 'there is no first line');
  return { answered, refused };
}

function badHeader(decision: Decision, what: string): CodedError {
  const example = JSON.stringify({
    v: protocolVersion,
    decision: decision.name,
    config: decision.example.config,
  });
  return new CodedError(
    'bad-header',
    `line 1 is no header of the subject protocol: ${what}`,
    `begin with ${example}`,
  );
}

function readHeader(ajv: Ajv, decision: Decision, text: string): unknown {
  const header = parseJson(text);
  if (header === undefined) throw badHeader(decision, 'not JSON');
  const accepts = ajv.compile({
    ...headerSchema,
    $id: undefined,
    properties: { ...headerSchema.properties, config: decision.config },
  });
  if (!accepts(header)) throw badHeader(decision, ajv.errorsText(accepts.errors, { dataVar: 'header' }));
  const { decision: named, config } = header as { decision: string; config: unknown };
  if (named !== decision.name)
    throw badHeader(decision, `it asks for '${named}', this subject answers '${decision.name}'`);
  return config;
}

type Answer =
  | { id: string | number; output: unknown; rule?: string }
  | { id: string | number | null; error: { code: string; message: string } };

function answerOne(
  text: string,
  bound: (input: never) => unknown,
  objection: (input: unknown) => string | null,
): Answer {
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null) {
    return { id: null, error: { code: 'bad-case', message: 'not a JSON object' } };
  }
  const { id, input } = parsed as { id?: unknown; input?: unknown };
  if (typeof id !== 'string' && !Number.isInteger(id)) {
    return { id: null, error: { code: 'bad-case', message: 'id is neither a string nor an integer' } };
  }
  const caseId = id as string | number;
  const wrong = objection(input);
  if (wrong !== null) return { id: caseId, error: { code: 'bad-case', message: wrong } };
  let output: { rule?: string };
  try {
    output = bound(input as never) as { rule?: string };
  } catch (error) {
    // One case that a subject dies of costs nobody the answers to the others.
    return { id: caseId, error: { code: 'case-failed', message: `the subject threw: ${String(error)}` } };
  }
  return { id: caseId, output, ...(output.rule === undefined ? {} : { rule: output.rule }) };
}

/** The line, and its error if it is one: a value that JSON.parse reads may be too deep for JSON.stringify. */
function lineOf(answer: Answer): { text: string; error: string | null } {
  try {
    return { text: JSON.stringify(answer), error: 'error' in answer ? answer.error.message : null };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = 'the answer is nested too deeply to be written';
    const failed: Answer = { id: answer.id, error: { code: 'case-failed', message } };
    return { text: JSON.stringify(failed), error: message };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
