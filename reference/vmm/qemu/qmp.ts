/**
 * QEMU's monitor over one connected socket: a command at a time, in order.
 * Invariant: every wait ends by an answer, the connection's end or a deadline; a line has a bound; what the guest or
 * QEMU says in an error is cut.
 */
import type { Duplex } from 'node:stream';
import { CodedError } from '#reference/base/coded-error.ts';

const maxLineOctets = 65_536;
const maxQueuedCommands = 64;
const maxErrorLength = 300;
const defaultDeadlineMs = 20_000;

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface QmpGreeting {
  readonly QMP: {
    readonly version: {
      readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
      readonly package: string;
    };
  };
}

type Message =
  | QmpEvent
  | QmpGreeting
  | { readonly return: unknown }
  | { readonly error: { readonly class: string; readonly desc: string } };

interface Awaited {
  readonly what: string;
  readonly resolve: (message: Message) => void;
  readonly reject: (error: CodedError) => void;
}

export function qmpFault(message: string, cause?: unknown): CodedError {
  return new CodedError('vmm-failed', message, 'see what the VMM said, and whether the guest is alive', {
    cause,
  });
}

export class QmpClient {
  readonly #socket: Duplex;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #partial = Buffer.alloc(0);
  #awaited: Awaited | null = null;
  /** Resolves when the command before has its answer. */
  #turn: Promise<unknown> = Promise.resolve();
  #queued = 0;
  #fault: CodedError | null = null;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('data', (octets: Buffer) => this.#receive(octets));
    socket.once('error', (cause) => this.#fail(qmpFault('the monitor’s connection broke', cause)));
    socket.once('close', () => this.#fail(qmpFault('the VMM has ended')));
  }

  /** First of all, once. */
  async greet(deadlineMs = defaultDeadlineMs): Promise<QmpGreeting> {
    const greeting = await this.#next('greeting', deadlineMs);
    if (!('QMP' in greeting)) throw qmpFault('the VMM does not greet as QMP does');
    await this.execute('qmp_capabilities');
    return greeting;
  }

  /** What it returns. @throws CodedError `vmm-failed`; after a missed deadline nothing more is asked */
  execute(
    command: string,
    parameters: Readonly<Record<string, unknown>> = {},
    deadlineMs = defaultDeadlineMs,
  ): Promise<unknown> {
    if (this.#queued >= maxQueuedCommands) return Promise.reject(qmpFault('too many commands wait'));
    this.#queued += 1;
    const answer = this.#turn.then(() => this.#ask(command, parameters, deadlineMs));
    const over = () => {
      this.#queued -= 1;
    };
    this.#turn = answer.then(over, over);
    return answer;
  }

  /** The next event for which `isIt` holds; take it before the command that brings it about. */
  event(isIt: (event: QmpEvent) => boolean, deadlineMs = defaultDeadlineMs): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#listeners.delete(listen);
        this.#socket.removeListener('close', closed);
      };
      const listen = (event: QmpEvent) => {
        if (!isIt(event)) return;
        end();
        resolve(event);
      };
      const closed = () => {
        end();
        reject(qmpFault('the VMM has ended'));
      };
      const timer = setTimeout(() => {
        end();
        reject(qmpFault('the VMM did not say in time how it went'));
      }, deadlineMs);
      this.#listeners.add(listen);
      this.#socket.once('close', closed);
      if (this.#fault !== null) closed();
    });
  }

  async #ask(
    command: string,
    parameters: Readonly<Record<string, unknown>>,
    deadlineMs: number,
  ): Promise<unknown> {
    if (this.#fault !== null) throw this.#fault;
    const answer = this.#next(command, deadlineMs);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    const message = await answer;
    if ('return' in message) return message.return;
    const why = 'error' in message ? message.error.desc.slice(0, maxErrorLength) : 'no answer of QMP';
    throw qmpFault(`the VMM refuses ${command}: ${why}`);
  }

  async #next(what: string, deadlineMs: number): Promise<Message> {
    if (this.#fault !== null) throw this.#fault;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    this.#awaited = { what, resolve, reject };
    const timer = setTimeout(
      () => this.#fail(qmpFault(`the VMM did not answer ${what} in time`)),
      deadlineMs,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(octets: Buffer): void {
    let rest = this.#partial.length === 0 ? octets : Buffer.concat([this.#partial, octets]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#line(rest.subarray(0, end).toString('utf8'));
      rest = rest.subarray(end + 1);
    }
    this.#partial = Buffer.from(rest);
    if (rest.length > maxLineOctets) this.#fail(qmpFault('a line of the monitor is too long'));
  }

  #line(line: string): void {
    if (this.#fault !== null || line.trim() === '') return;
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch (cause) {
      this.#fail(qmpFault('a line of the monitor is not JSON', cause));
      return;
    }
    if ('event' in message) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const awaited = this.#awaited;
    this.#awaited = null;
    awaited?.resolve(message);
  }

  #fail(fault: CodedError): void {
    if (this.#fault !== null) return;
    this.#fault = fault;
    this.#awaited?.reject(fault);
    this.#awaited = null;
    this.#socket.destroy();
  }
}
