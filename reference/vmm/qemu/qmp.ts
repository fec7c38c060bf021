/**
 * QEMU's monitor over one connected socket: commands are written at once, and answered in their order.
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
  /** In the order in which they will be answered. */
  readonly #awaited: Awaited[] = [];
  #fault: CodedError | null = null;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('data', (octets: Buffer) => this.#receive(octets));
    socket.once('error', (cause) => this.#fail(qmpFault('the monitor’s connection broke', cause)));
    socket.once('close', () => this.#fail(qmpFault('the VMM has ended')));
  }

  /** First of all, once; it takes commands at once, whose answers come behind the greeting. */
  async greet(deadlineMs = defaultDeadlineMs): Promise<QmpGreeting> {
    const greeted = this.#next('greeting', deadlineMs);
    const [greeting] = await Promise.all([greeted, this.execute('qmp_capabilities')]);
    if (!('QMP' in greeting)) throw qmpFault('the VMM does not greet as QMP does');
    return greeting;
  }

  /** What it returns. @throws CodedError `vmm-failed`; after a missed deadline nothing more is asked */
  async execute(
    command: string,
    parameters: Readonly<Record<string, unknown>> = {},
    deadlineMs = defaultDeadlineMs,
  ): Promise<unknown> {
    if (this.#awaited.length >= maxQueuedCommands) throw qmpFault('too many commands wait');
    if (this.#fault !== null) throw this.#fault;
    const answer = this.#next(command, deadlineMs);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    const message = await answer;
    if ('return' in message) return message.return;
    const why = 'error' in message ? message.error.desc.slice(0, maxErrorLength) : 'no answer of QMP';
    throw qmpFault(`the VMM refuses ${command}: ${why}`);
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

  async #next(what: string, deadlineMs: number): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    this.#awaited.push({ resolve, reject });
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
    this.#awaited.shift()?.resolve(message);
  }

  #fail(fault: CodedError): void {
    if (this.#fault !== null) return;
    this.#fault = fault;
    for (const { reject } of this.#awaited.splice(0)) reject(fault);
    this.#socket.destroy();
  }
}
