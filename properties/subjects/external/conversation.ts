/**
 * The subject protocol, the asking side: sends cases to somebody's program and hears its answers. Every way
 * to fail is an outcome of its own; time, memory and what the program may write are bounded, and no process
 * is left.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { maxLineBytes, protocolVersion, readLines } from '../../protocol/case-lines.ts';

export interface ProtocolCase {
  readonly id: number;
  readonly input: unknown;
}

export type ConversationOutcome =
  /** Every case has exactly one answer. */
  | 'answered'
  /** It could not be started. */
  | 'not-executable'
  /** It ended with another code than 0, or by a signal, before the last answer. */
  | 'crashed'
  /** It ended with code 0 and owes answers. */
  | 'short'
  /** No answer within the deadline. */
  | 'hung'
  /** A line that is no answer of the protocol. */
  | 'garbage'
  | 'duplicate-id'
  | 'unknown-id';

export interface Conversation {
  readonly outcome: ConversationOutcome;
  /** What happened, where; empty when everything was answered. */
  readonly reason: string;
  /** Outputs by id; a case that the program refused with `error` is absent here. */
  readonly outputs: ReadonlyMap<number, unknown>;
  /** Cases that the program answered with an error of its own. */
  readonly refused: ReadonlyMap<number, string>;
  /** The first lines that it wrote to stderr. */
  readonly stderr: readonly string[];
  readonly seconds: number;
}

export interface ConversationOptions {
  readonly decision: string;
  readonly config: unknown;
  /** Longest time without an answer while one is owed. */
  readonly answerTimeoutMs: number;
  readonly signal: AbortSignal;
}

const writeBytes = 256 * 1024;
const keptStderrLines = 20;
const keptStderrBytes = 64 * 1024;
const graceMs = 2_000;

/** Holds the whole conversation; never throws for what the program does. */
export async function converse(
  command: readonly string[],
  cases: readonly ProtocolCase[],
  options: ConversationOptions,
): Promise<Conversation> {
  const [program, ...words] = command;
  if (program === undefined) throw new Error('a program is needed');
  const started = performance.now();
  const child = spawn(program, words, { stdio: 'pipe', detached: true });
  const talk = new Talk(child, cases, options);
  const ended = await talk.all();
  return { ...ended, seconds: (performance.now() - started) / 1_000 };
}

class Talk {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #cases: readonly ProtocolCase[];
  readonly #options: ConversationOptions;
  readonly #owed: Set<number>;
  readonly #outputs = new Map<number, unknown>();
  readonly #refused = new Map<number, string>();
  readonly #stderr: string[] = [];
  #failure: { outcome: ConversationOutcome; reason: string } | null = null;
  #lastAnswerMs = performance.now();

  constructor(
    child: ChildProcessWithoutNullStreams,
    cases: readonly ProtocolCase[],
    options: ConversationOptions,
  ) {
    this.#child = child;
    this.#cases = cases;
    this.#options = options;
    this.#owed = new Set(cases.map(({ id }) => id));
  }

  async all(): Promise<Omit<Conversation, 'seconds'>> {
    const exit = new Promise<string | null>((resolve) => {
      this.#child.once('error', (error: NodeJS.ErrnoException) => {
        this.#fail('not-executable', `${error.code ?? error.message}`);
        resolve(null);
      });
      this.#child.once('close', (code, signal) => resolve(code === 0 ? null : (signal ?? `code ${code}`)));
    });
    const watch = setInterval(() => this.#watch(), 100);
    const onAbort = () => this.#fail('hung', 'interrupted');
    this.#options.signal.addEventListener('abort', onAbort, { once: true });
    this.#keepStderr();
    const [, , how] = await Promise.all([this.#ask(), this.#listen(), exit]);
    clearInterval(watch);
    this.#options.signal.removeEventListener('abort', onAbort);
    if (this.#owed.size > 0) {
      const owed = `${this.#owed.size} of ${this.#cases.length} cases unanswered, the first has id ${[...this.#owed][0]}`;
      this.#fail(how === null ? 'short' : 'crashed', how === null ? owed : `ended with ${how}, ${owed}`);
    }
    const { outcome, reason } = this.#failure ?? { outcome: 'answered' as const, reason: '' };
    return { outcome, reason, outputs: this.#outputs, refused: this.#refused, stderr: this.#stderr };
  }

  /** The first failure counts; the program and what it started end with it. */
  #fail(outcome: ConversationOutcome, reason: string): void {
    this.#failure ??= { outcome, reason };
    this.#kill();
  }

  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      // Gone already: that is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #watch(): void {
    const silentMs = performance.now() - this.#lastAnswerMs;
    if (this.#owed.size > 0 && silentMs > this.#options.answerTimeoutMs) {
      const [next] = this.#owed;
      this.#fail(
        'hung',
        `no answer for ${this.#options.answerTimeoutMs} ms, the next one owed has id ${next}`,
      );
    }
    // Everything is answered and its stdin is closed: a program that stays has a moment to leave.
    if (this.#owed.size === 0 && silentMs > graceMs) this.#kill();
  }

  #keepStderr(): void {
    let bytes = 0;
    let rest = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      // Read on, so that the program is not held up; what is beyond the bound is dropped.
      bytes += text.length;
      if (bytes > keptStderrBytes || this.#stderr.length >= keptStderrLines) return;
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      this.#stderr.push(...lines.slice(0, keptStderrLines - this.#stderr.length));
    });
  }

  async #ask(): Promise<void> {
    const { stdin } = this.#child;
    stdin.on('error', (error: NodeJS.ErrnoException) => {
      // A program that stops reading is judged by what it answered.
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
    });
    const { decision, config } = this.#options;
    let buffer = `${JSON.stringify({ v: protocolVersion, decision, config })}\n`;
    for (const one of this.#cases) {
      buffer += `${JSON.stringify(one)}\n`;
      if (buffer.length < writeBytes) continue;
      if (!stdin.write(buffer)) await this.#drained();
      buffer = '';
      if (this.#failure !== null) return;
    }
    stdin.end(buffer);
  }

  /** Until the program reads on, or the conversation is over. */
  #drained(): Promise<void> {
    const { stdin } = this.#child;
    return new Promise((resolve) => {
      const done = () => {
        stdin.off('drain', done).off('close', done);
        resolve();
      };
      stdin.once('drain', done).once('close', done);
      if (stdin.destroyed) done();
    });
  }

  async #listen(): Promise<void> {
    try {
      for await (const line of readLines(this.#child.stdout)) {
        if (this.#failure !== null) continue;
        if (line.trim() !== '') this.#hear(line);
      }
    } catch (error) {
      this.#fail('garbage', `stdout: ${error instanceof Error ? error.message : String(error)}`);
      this.#child.stdout.resume();
    }
  }

  #hear(line: string): void {
    const answer = parseAnswer(line);
    if (typeof answer === 'string') {
      this.#fail('garbage', `${answer}: ${line.slice(0, 120)}`);
      return;
    }
    const { id } = answer;
    if (!this.#owed.delete(id)) {
      const known = this.#outputs.has(id) || this.#refused.has(id);
      this.#fail(
        known ? 'duplicate-id' : 'unknown-id',
        known ? `id ${id} is answered twice` : `id ${id} was never asked`,
      );
      return;
    }
    this.#lastAnswerMs = performance.now();
    if ('error' in answer) this.#refused.set(id, answer.error);
    else this.#outputs.set(id, answer.output);
  }
}

type Answer =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: string };

/** An answer of the protocol, or what is wrong with the line. */
function parseAnswer(line: string): Answer | string {
  if (line.length > maxLineBytes) return 'a line beyond the bound';
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return 'not JSON';
    throw error;
  }
  if (typeof value !== 'object' || value === null) return 'not an object';
  const { id, output, error } = value as { id?: unknown; output?: unknown; error?: { message?: unknown } };
  if (typeof id !== 'number') return 'no id that was asked';
  if (error !== undefined) return { id, error: String(error?.message ?? 'no message') };
  return output === undefined ? 'neither output nor error' : { id, output };
}
