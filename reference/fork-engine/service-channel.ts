/**
 * The host's end of a guest's services channel: exec and files, told apart by id, each with windows of its own.
 * Invariant: a guest that breaks a bound (line, window, output, time) loses its request or its channel; what it sends
 * is held only as far as the windows go, and never believed to be of a type that it was not checked for.
 */
import type { Duplex } from 'node:stream';
import { CodedError } from '#reference/base/coded-error.ts';
import {
  type ExecRequest,
  type FileEntry,
  maxChunkOctets,
  maxChunksInFlight,
  maxLineOctets,
  maxListedEntries,
  maxServicesInFlight,
  type ServiceEnd,
  type ServiceRequest,
} from '#reference/contract/guest-protocol.ts';
import { readReply, type ServicePart } from './service-reply.ts';

/** Takes a chunk; ends when the next one may come. Rejects when nobody reads any more: then the request is ended. */
export type Take = (stream: 'stdout' | 'stderr' | 'data', octets: Buffer) => Promise<void> | void;

export type End = Omit<ServiceEnd, 'id'>;

export interface RunningExec {
  readonly ended: Promise<End>;
  /** Ends when the guest has room for more. */
  stdin(octets: Uint8Array): Promise<void>;
  stdinEnd(): void;
  /** To the whole process group. */
  kill(signal: string): void;
  /** SIGKILL; `ended` tells of it. */
  cancel(): void;
}

/** Beyond what a request may take by itself. */
const graceMs = 5_000;
/** Of what moves a file: without progress; and of all of it. */
const fileDeadlineMs = 60_000;
const maxFileMs = 600_000;
const newline = 0x0a;

type Opening = Extract<ServiceRequest, { method: 'exec' | 'read' | 'write' | 'list' | 'stat' | 'remove' }>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Request {
  readonly id: number;
  readonly take: Take;
  readonly entries: FileEntry[];
  readonly result: PromiseWithResolvers<End>;
  readonly timer: NodeJS.Timeout;
  /** Until then each chunk of a file gives it its whole time again. */
  readonly renewedUntilMs: number;
  /** Octets or entries that may still come. */
  left: number;
  /** From the guest, not taken yet. */
  waiting: number;
  taking: Promise<void>;
  /** To the guest, not acknowledged yet. */
  sent: number;
  wake: (() => void) | null;
  isOver: boolean;
}

export class ServiceChannel {
  readonly #stream: Duplex;
  readonly #running = new Map<number, Request>();
  #lastId = 0;
  #held: Buffer[] = [];
  #heldOctets = 0;
  #end: CodedError | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.once('end', () => this.#finish('it was closed'));
    stream.once('close', () => this.#finish('it was closed'));
    stream.once('error', (cause) => this.#finish('it failed', cause));
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /** @throws CodedError `guest-busy`, `guest-channel-ended`, `guest-request-too-long` */
  exec(exec: ExecRequest, take: Take): RunningExec {
    const request = this.#open(
      { method: 'exec', ...exec },
      take,
      exec.max_output_octets,
      exec.timeout_ms + graceMs,
    );
    return {
      ended: request.result.promise,
      stdin: (octets) => this.#sendChunks(request, octets, 'stdin'),
      stdinEnd: () => this.#follow(request, { method: 'stdin_end' }),
      kill: (signal) => this.#follow(request, { method: 'kill', signal }),
      cancel: () => this.#follow(request, { method: 'cancel' }),
    };
  }

  /** @throws CodedError as `exec`; what the guest says is in the end */
  readFile(path: string, maxOctets: number, take: Take): Promise<End> {
    const read = { method: 'read', path, max_octets: maxOctets } as const;
    return this.#open(read, take, maxOctets, fileDeadlineMs).result.promise;
  }

  /** @throws CodedError as `exec`; whatever `source` rejects with, and the file is as it was */
  async writeFile(path: string, mode: number, source: AsyncIterable<Uint8Array>): Promise<End> {
    const request = this.#open({ method: 'write', path, mode }, () => undefined, 0, fileDeadlineMs);
    try {
      for await (const octets of source) await this.#sendChunks(request, octets, 'data');
    } catch (error) {
      this.#follow(request, { method: 'cancel' });
      await request.result.promise;
      throw error;
    }
    if (await this.#room(request)) this.#follow(request, { method: 'data', data: '', end: true });
    return request.result.promise;
  }

  /** @throws CodedError as `exec` */
  async list(path: string): Promise<End & { readonly entries: readonly FileEntry[] }> {
    const request = this.#open({ method: 'list', path }, () => undefined, maxListedEntries, fileDeadlineMs);
    return { ...(await request.result.promise), entries: request.entries };
  }

  /** @throws CodedError as `exec` */
  ask(method: 'stat' | 'remove', path: string): Promise<End> {
    return this.#open({ method, path }, () => undefined, 0, fileDeadlineMs).result.promise;
  }

  close(): void {
    this.#finish('the host closed it');
  }

  #open(opening: WithoutId<Opening>, take: Take, left: number, deadlineMs: number): Request {
    if (this.#end !== null) throw this.#end;
    if (this.#running.size >= maxServicesInFlight) {
      throw new CodedError(
        'guest-busy',
        `${maxServicesInFlight} requests are in flight in this sandbox`,
        'wait until one of them has ended',
      );
    }
    const isFile = opening.method === 'read' || opening.method === 'write';
    const id = ++this.#lastId;
    const line = lineOf({ id, ...opening });
    const timer = setTimeout(() => this.#silent(request), deadlineMs);
    const request: Request = {
      renewedUntilMs: isFile ? performance.now() + maxFileMs : 0,
      ...{ id, take, timer, left, entries: [], result: Promise.withResolvers<End>() },
      ...{ waiting: 0, taking: Promise.resolve(), sent: 0, wake: null, isOver: false },
    };
    // Whoever only cancels does not wait for it.
    request.result.promise.catch(() => undefined);
    this.#running.set(id, request);
    this.#stream.write(line);
    return request;
  }

  #follow(request: Request, message: WithoutId<ServiceRequest>): void {
    if (request.isOver || this.#end !== null) return;
    this.#stream.write(lineOf({ id: request.id, ...message }));
  }

  async #sendChunks(request: Request, octets: Uint8Array, method: 'stdin' | 'data'): Promise<void> {
    const { buffer, byteOffset, length } = octets;
    const all = Buffer.from(buffer, byteOffset, length);
    for (let at = 0; at < all.length; at += maxChunkOctets) {
      if (!(await this.#room(request))) return;
      this.#follow(request, { method, data: all.toString('base64', at, at + maxChunkOctets) });
    }
  }

  /** For one chunk more; false: the request is over. */
  async #room(request: Request): Promise<boolean> {
    while (request.sent >= maxChunksInFlight && !request.isOver) {
      await new Promise<void>((wake) => {
        request.wake = wake;
      });
    }
    request.sent += 1;
    return !request.isOver;
  }

  #read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#end === null; ) {
      const end = chunk.indexOf(newline, at);
      const part = chunk.subarray(at, end === -1 ? chunk.length : end);
      at += part.length + 1;
      this.#held.push(part);
      this.#heldOctets += part.length;
      if (this.#heldOctets >= maxLineOctets) this.#finish('the guest sent a line that is too long');
      if (end === -1 || this.#end !== null) return;
      const line = Buffer.concat(this.#held).toString('utf8');
      this.#held = [];
      this.#heldOctets = 0;
      const reply = readReply(line);
      const request = reply === null ? undefined : this.#running.get(reply.id);
      if (reply === null) this.#finish('the guest sent what is no reply');
      else if (request !== undefined) this.#take(request, reply.part);
    }
  }

  #take(request: Request, part: ServicePart): void {
    const fault = this.#fault(request, part);
    if (performance.now() < request.renewedUntilMs) request.timer.refresh();
    if (fault !== null) {
      this.#finish(fault);
    } else if (part.kind === 'end') {
      // After all that came before it.
      request.taking = request.taking.then(() => this.#over(request, part.end));
    } else if (part.kind === 'ack') {
      request.sent -= part.chunks;
      request.wake?.();
    } else {
      request.left -= sizeOf(part);
      request.waiting += 1;
      request.taking = request.taking.then(() => this.#pass(request, part));
    }
  }

  /** What the guest may not do, or null. */
  #fault(request: Request, part: ServicePart): string | null {
    if (part.kind === 'end') return null;
    if (part.kind === 'ack') {
      return part.chunks > request.sent ? 'the guest acknowledged what was not sent' : null;
    }
    if (sizeOf(part) > request.left) return 'the guest sent more than it was asked for';
    return request.waiting < maxChunksInFlight ? null : 'the guest did not keep to its window';
  }

  async #pass(request: Request, part: Extract<ServicePart, { kind: 'chunk' | 'entries' }>): Promise<void> {
    if (request.isOver) return;
    try {
      if (part.kind === 'chunk') await request.take(part.stream, part.octets);
      else request.entries.push(...part.entries);
    } catch {
      // Nobody reads any more; the guest's end tells the rest.
      this.#follow(request, { method: 'cancel' });
    }
    request.waiting -= 1;
    this.#follow(request, { method: 'ack', chunks: 1 });
  }

  #silent(request: Request): void {
    this.#follow(request, { method: 'cancel' });
    this.#over(
      request,
      new CodedError(
        'guest-silent',
        'the guest did not end a request in time',
        'terminate the sandbox when it does so again: its agent may be stuck',
      ),
    );
  }

  #over(request: Request, end: End | CodedError): void {
    if (request.isOver) return;
    request.isOver = true;
    clearTimeout(request.timer);
    this.#running.delete(request.id);
    request.wake?.();
    if (end instanceof CodedError) request.result.reject(end);
    else request.result.resolve(end);
  }

  #finish(why: string, cause?: unknown): void {
    if (this.#end !== null) return;
    this.#end = new CodedError(
      'guest-channel-ended',
      `the services channel of a guest has ended: ${why}`,
      'terminate the sandbox: nothing can be run in it any more',
      { cause },
    );
    for (const request of [...this.#running.values()]) this.#over(request, this.#end);
    this.#held = [];
    this.#stream.destroy();
  }
}

const sizeOf = (part: Extract<ServicePart, { kind: 'chunk' | 'entries' }>) =>
  part.kind === 'chunk' ? part.octets.length : part.entries.length;

function lineOf(message: object): string {
  const line = `${JSON.stringify(message)}\n`;
  const octets = Buffer.byteLength(line);
  if (octets <= maxLineOctets) return line;
  throw new CodedError(
    'guest-request-too-long',
    `a request has ${octets} octets; a line has at most ${maxLineOctets}`,
    'shorten its arguments, environment or path',
  );
}
