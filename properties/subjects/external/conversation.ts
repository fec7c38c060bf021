/**
 * The subject protocol, the asking side: sends cases to somebody's program and hears its answers. Every way
 * to fail is an outcome of its own; time, memory and what the program may write are bounded, and no process
 * of its group is left.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { maxLineBytes, protocolVersion } from '../../protocol/case-lines.ts';

export type ConversationOutcome =
  /** Every case has exactly one answer. */
  | 'answered'
  /** It could not be started. */
  | 'not-executable'
  /** It ended with another code than 0, or by a signal, before the last answer. */
  | 'crashed'
  /** It ended with code 0 and owes answers. */
  | 'short'
  /** It lives on, owes answers, and has closed its stdout. */
  | 'closed-stdout'
  /** No answer within the deadline. */
  | 'hung'
  /** A line that is no answer of the protocol. */
  | 'garbage'
  | 'duplicate-id'
  /** An id that was never asked, or not yet. */
  | 'unknown-id'
  /** Cut off by whoever waits for the result. */
  | 'interrupted';

export type Answer = { readonly output: unknown } | { readonly refusal: string };

/** Asks one more case; returns its id. */
export type Ask = (input: unknown) => number;

export interface Script {
  /** Cases that depend on no answer: their ids are 0, 1, 2 … Taken as the program reads on. */
  readonly inputs: Iterable<unknown>;
  /** How many these are. */
  readonly count: number;
  /** Hears the one answer to each case; what it asks then has the next free id. */
  readonly hear: (id: number, answer: Answer, ask: Ask) => void;
  /** Whether answers lead to further cases: stdin stays open until nothing is owed. */
  readonly continues: boolean;
}

export interface Conversation {
  readonly outcome: ConversationOutcome;
  /** What happened, where; empty when everything was answered. */
  readonly reason: string;
  readonly answered: number;
  /** Of these, the cases that the program answered with an error of its own. */
  readonly refused: number;
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

const writeChars = 256 * 1024;
const keptStderrLines = 20;
const keptStderrChars = 64 * 1024;
const keptLineChars = 500;
const shownLineChars = 120;
/** One clock for all deadlines: nothing is armed for a line. */
const watchMs = 100;
/** What a program that has answered, or is gone, has left to close its streams. */
const graceMs = 2_000;
/** A program that ends closes its stdout a moment before. */
const closingMs = 300;

/** Holds the whole conversation; never throws for what the program does. */
export async function converse(
  command: readonly string[],
  script: Script,
  options: ConversationOptions,
): Promise<Conversation> {
  const [program, ...words] = command;
  if (program === undefined) throw new Error('a program is needed');
  const started = performance.now();
  let child: ChildProcessWithoutNullStreams;
  try {
    child = spawn(program, words, { stdio: 'pipe', detached: true });
  } catch (error) {
    // A path below a file, too many words, no name at all: thrown where ENOENT and EACCES are emitted.
    const reason = whyNotStarted(error as NodeJS.ErrnoException);
    return { outcome: 'not-executable', reason, answered: 0, refused: 0, stderr: [], seconds: 0 };
  }
  const ended = await new Talk(child, script, options).all();
  return { ...ended, seconds: (performance.now() - started) / 1_000 };
}

function whyNotStarted({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'ENOENT: there is no such program';
  return code === 'EACCES' ? 'EACCES: it may not be executed' : (code ?? message);
}

class Talk {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #script: Script;
  readonly #options: ConversationOptions;
  readonly #owed = new Set<number>();
  readonly #stderr: string[] = [];
  #asked = 0;
  #answered = 0;
  #refused = 0;
  /** Lines that are not written yet. */
  #unwritten = '';
  #firstWaveOver = false;
  /** A write waits until the program reads on. */
  #isFull = false;
  #failure: { outcome: ConversationOutcome; reason: string } | null = null;
  #lastAnswerMs = performance.now();
  #stdoutClosedMs: number | null = null;
  #exitedMs: number | null = null;
  /** The beginning of a line whose end has not come. */
  #rest = '';

  constructor(child: ChildProcessWithoutNullStreams, script: Script, options: ConversationOptions) {
    this.#child = child;
    this.#script = script;
    this.#options = options;
  }

  async all(): Promise<Omit<Conversation, 'seconds'>> {
    const ended = new Promise<string | null>((resolve) => {
      this.#child.once('error', (error: NodeJS.ErrnoException) => {
        this.#fail('not-executable', whyNotStarted(error));
        resolve(null);
      });
      this.#child.once('exit', () => {
        this.#exitedMs = performance.now();
      });
      this.#child.once('close', (code, signal) => resolve(code === 0 ? null : (signal ?? `code ${code}`)));
    });
    const watch = setInterval(() => this.#watch(), watchMs);
    const onAbort = () => this.#fail('interrupted', 'cut off from outside');
    this.#options.signal.addEventListener('abort', onAbort, { once: true });
    if (this.#options.signal.aborted) onAbort();
    this.#keepStderr();
    this.#listen();
    const [, how] = await Promise.all([this.#askFirstWave(), ended]);
    clearInterval(watch);
    this.#options.signal.removeEventListener('abort', onAbort);
    this.#hearLastLine();
    if (this.#unanswered() > 0) this.#fail(how === null ? 'short' : 'crashed', this.#howItEnded(how));
    // Whatever it started in its group ends with it.
    this.#kill();
    const { outcome, reason } = this.#failure ?? { outcome: 'answered' as const, reason: '' };
    return {
      outcome,
      reason,
      answered: this.#answered,
      refused: this.#refused,
      stderr: this.#stderr,
    };
  }

  #unanswered(): number {
    const notAsked = this.#firstWaveOver ? 0 : Math.max(0, this.#script.count - this.#asked);
    return this.#owed.size + notAsked;
  }

  #howItEnded(how: string | null): string {
    const owed = `${this.#unanswered()} of ${this.#answered + this.#unanswered()} cases unanswered, the first has id ${this.#firstOwed()}`;
    if (how === null) return owed;
    return `ended with ${how}${this.#answered === 0 ? ' before its first answer' : ''}, ${owed}`;
  }

  #firstOwed(): number {
    const [first] = this.#owed;
    return first ?? this.#asked;
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
    const nowMs = performance.now();
    const { answerTimeoutMs } = this.#options;
    if (this.#exitedMs !== null) {
      // Somebody who left its group holds its streams open: nobody waits for that one.
      if (nowMs - this.#exitedMs > graceMs) for (const stream of this.#child.stdio) stream?.destroy();
      return;
    }
    if (this.#unanswered() > 0) {
      if (this.#stdoutClosedMs !== null && nowMs - this.#stdoutClosedMs > closingMs) {
        this.#fail('closed-stdout', `it lives on with its stdout closed, ${this.#howItEnded(null)}`);
      } else if (nowMs - this.#lastAnswerMs > answerTimeoutMs) {
        const unread = this.#isFull ? ', and it does not read its stdin' : '';
        this.#fail(
          'hung',
          `no answer for ${answerTimeoutMs} ms, the next one owed has id ${this.#firstOwed()}${unread}`,
        );
      }
    } else if (nowMs - this.#lastAnswerMs > graceMs) {
      // Everything is answered and its stdin is closed: a program that stays had its moment to leave.
      this.#kill();
    }
  }

  #keepStderr(): void {
    let chars = 0;
    let rest = '';
    const keep = (line: string) => {
      if (this.#stderr.length < keptStderrLines) this.#stderr.push(line.slice(0, keptLineChars));
    };
    const { stderr } = this.#child;
    stderr.setEncoding('utf8').on('data', (text: string) => {
      // Read on, so that the program is not held up; what is beyond the bound is dropped.
      if (chars >= keptStderrChars || this.#stderr.length >= keptStderrLines) return;
      const lines = (rest + text.slice(0, keptStderrChars - chars)).split('\n');
      chars += text.length;
      rest = lines.pop() ?? '';
      lines.forEach(keep);
    });
    stderr.once('close', () => {
      if (rest !== '') keep(rest);
    });
  }

  /** A case on its way: written with others, or at the next flush. */
  readonly #ask: Ask = (input) => {
    const id = this.#asked++;
    this.#owed.add(id);
    this.#unwritten += `${JSON.stringify({ id, input })}\n`;
    return id;
  };

  /** Writes what waits; false while the program is behind with reading. */
  #flush(): boolean {
    const { stdin } = this.#child;
    const text = this.#unwritten;
    this.#unwritten = '';
    if (text === '' || stdin.destroyed || stdin.writableEnded) return true;
    return stdin.write(text);
  }

  async #askFirstWave(): Promise<void> {
    const { stdin } = this.#child;
    stdin.on('error', (error: NodeJS.ErrnoException) => {
      // A program that stops reading is judged by what it answered.
      const gone = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'];
      if (!gone.includes(error.code ?? '')) throw error;
    });
    const { decision, config } = this.#options;
    this.#unwritten = `${JSON.stringify({ v: protocolVersion, decision, config })}\n`;
    for (const input of this.#script.inputs) {
      this.#ask(input);
      if (this.#unwritten.length < writeChars) continue;
      if (!this.#flush()) await this.#drained();
      if (this.#failure !== null) return;
    }
    this.#firstWaveOver = true;
    this.#flush();
    if (!this.#script.continues || this.#owed.size === 0) stdin.end();
  }

  /** Until the program reads on, or the conversation is over. */
  #drained(): Promise<void> {
    const { stdin } = this.#child;
    this.#isFull = true;
    return new Promise((resolve) => {
      const done = () => {
        stdin.off('drain', done).off('close', done);
        this.#isFull = false;
        resolve();
      };
      stdin.once('drain', done).once('close', done);
      if (stdin.destroyed) done();
    });
  }

  #listen(): void {
    const { stdout, stdin } = this.#child;
    const closed = () => {
      this.#stdoutClosedMs ??= performance.now();
    };
    stdout.once('end', closed).once('close', closed);
    stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#failure !== null) return;
      const before = this.#answered;
      this.#hearLines(text);
      if (this.#answered > before) this.#lastAnswerMs = performance.now();
      if (!this.#firstWaveOver || !this.#script.continues) return;
      this.#flush();
      if (this.#owed.size === 0) stdin.end();
    });
  }

  #hearLines(text: string): void {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      const line = this.#rest === '' ? text.slice(from, end) : this.#rest + text.slice(from, end);
      this.#rest = '';
      from = end + 1;
      this.#hear(line);
      if (this.#failure !== null) return;
    }
    this.#rest += text.slice(from);
    if (this.#rest.length > maxLineBytes) this.#hear(this.#rest);
  }

  /** The last line may lack its newline. */
  #hearLastLine(): void {
    if (this.#failure === null && this.#rest !== '') this.#hear(this.#rest);
  }

  #hear(line: string): void {
    if (line.trim() === '') return;
    const read = readAnswer(line);
    if (typeof read === 'string') {
      this.#fail('garbage', `${read}: ${line.slice(0, shownLineChars)}`);
      return;
    }
    const { id, answer } = read;
    if (!this.#owed.delete(id)) {
      const known = Number.isInteger(id) && id >= 0 && id < this.#asked;
      this.#fail(
        known ? 'duplicate-id' : 'unknown-id',
        known ? `id ${id} is answered twice` : `id ${id} was never asked`,
      );
      return;
    }
    this.#answered += 1;
    if ('refusal' in answer) this.#refused += 1;
    this.#script.hear(id, answer, this.#ask);
  }
}

/** An answer of the protocol, or what is wrong with the line. */
function readAnswer(line: string): { readonly id: number; readonly answer: Answer } | string {
  if (line.length > maxLineBytes) return `a line beyond ${maxLineBytes} octets`;
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
  if (error !== undefined) return { id, answer: { refusal: String(error?.message ?? 'no message') } };
  return output === undefined ? 'neither output nor error' : { id, answer: { output } };
}
