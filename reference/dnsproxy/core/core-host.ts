/** Where the core of the proxy runs: in this thread, or in one of its own that waits in the kernel. */
import { Worker } from 'node:worker_threads';
import { giveBackFreed } from '#reference/base/syscalls.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import type { PinPort } from '#reference/contract/pin-port.ts';
import { wakeThrough } from '../packets/event-signal.ts';
import type { StreamHandler, StreamIo } from '../streams/stream-io.ts';
import { type CoreRequest, receivedError } from './core-requests.ts';
import type { FromCore, ThreadData, ToCore } from './core-thread.ts';
import type { CountSnapshot } from './counts.ts';
import type { ProxyLimits } from './limits.ts';
import type { RefusalLine } from './refusal-log.ts';
import { threadMemory } from './thread-memory.ts';

export interface CoreHost extends StreamHandler {
  call(request: CoreRequest): Promise<CountSnapshot | null>;
  /** Rejects when the core is no more although nobody closed it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface HostOptions {
  readonly io: 'epoll' | 'dgram';
  readonly limits: ProxyLimits;
  readonly streams: StreamIo;
  readonly log: (line: RefusalLine) => void;
  /** Of guests' sockets and of the sets; null: this one. */
  readonly namespacePath: string | null;
  readonly pins: { readonly table: string } | PinPort;
}

/** @throws CodedError `no-net-admin`, `no-namespace`, `pins-refused` */
export async function openCore(options: HostOptions): Promise<CoreHost> {
  // A port that was handed in is an object of this thread.
  if (options.io === 'epoll' && 'table' in options.pins) return threadCore(options);
  // What a thread beside runs is not loaded here as well: it is most of the program.
  const { localCore } = await import('./local-core.ts');
  return localCore(options);
}

const closeDeadlineMs = 2_000;
const giveBackEveryMs = 10_000;

interface Waiting {
  readonly resolve: (snapshot: CountSnapshot | null) => void;
  readonly reject: (error: Error) => void;
}

class ThreadCore implements CoreHost {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly ended: Promise<void>;
  /** Compilers, and what strips types, let go of more than the proxy ever holds. */
  readonly #givingBack = setInterval(giveBackFreed, giveBackEveryMs).unref();
  #wakeFd: number | null = null;
  #nextCall = 1;
  #isClosed = false;
  #loss: Error | null = null;

  constructor(worker: Worker, { streams, log }: HostOptions, ready: Waiting) {
    this.#worker = worker;
    this.ended = new Promise((resolve, reject) => {
      worker.once('error', (error) => this.#lost(error, ready, reject));
      worker.once('exit', (code) => {
        if (this.#isClosed) resolve();
        else
          this.#lost(new Error(`the thread of the DNS proxy ended by itself, with ${code}`), ready, reject);
      });
    });
    worker.on('message', (message: FromCore) => {
      switch (message.kind) {
        case 'ready':
          this.#wakeFd = message.wakeFd;
          return ready.resolve(null);
        case 'failed':
          return this.#lost(receivedError(message.error), ready, () => undefined);
        case 'done':
          return this.#take(message.call)?.resolve(message.result);
        case 'refused':
          return this.#take(message.call)?.reject(receivedError(message.error));
        case 'log':
          return log(message.line);
        case 'ask':
          return streams.ask(message.upstream, message.message, message.token);
        case 'answer':
          return streams.answer(message.connection, message.message);
      }
    });
  }

  #lost(error: Error, ready: Waiting, reject: (error: Error) => void): void {
    clearInterval(this.#givingBack);
    this.#loss ??= error;
    ready.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    reject(error);
  }

  #take(call: number): Waiting | undefined {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
  }

  #send(message: ToCore): void {
    if (this.#isClosed) return;
    this.#worker.postMessage(message);
    if (this.#wakeFd !== null) wakeThrough(this.#wakeFd);
  }

  call(request: CoreRequest): Promise<CountSnapshot | null> {
    if (this.#loss !== null) return Promise.reject(this.#loss);
    return new Promise((resolve, reject) => {
      const call = this.#nextCall++;
      this.#waiting.set(call, { resolve, reject });
      this.#send({ kind: 'call', call, request });
    });
  }

  guestStream(tap: string, connection: number, client: DnsEndpoint, message: Uint8Array): void {
    this.#send({ kind: 'guest', tap, connection, client, message });
  }

  upstreamStream(token: number, reply: Uint8Array | null): void {
    this.#send({ kind: 'upstream', token, reply });
  }

  async close(): Promise<void> {
    clearInterval(this.#givingBack);
    this.#send({ kind: 'close' });
    this.#isClosed = true;
    const deadline = setTimeout(() => void this.#worker.terminate(), closeDeadlineMs);
    await this.ended;
    clearTimeout(deadline);
  }
}

async function threadCore(options: HostOptions): Promise<CoreHost> {
  const { limits, namespacePath, pins } = options;
  if (!('table' in pins)) throw new TypeError('a port of pins does not cross a thread');
  const workerData: ThreadData = { limits, namespacePath, table: pins.table };
  const worker = new Worker(new URL('./core-thread.ts', import.meta.url), {
    workerData,
    resourceLimits: threadMemory(),
  });
  let core: ThreadCore | null = null;
  try {
    await new Promise<CountSnapshot | null>((resolve, reject) => {
      core = new ThreadCore(worker, options, { resolve, reject });
      // It is told by `ready` first; whoever waits for the end hears it there.
      core.ended.catch(() => undefined);
    });
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  if (core === null) throw new TypeError('the promise above has made it');
  return core;
}
