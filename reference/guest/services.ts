/**
 * The channel `services`: exec and files, told apart by id, from the release on.
 * Invariant: at most `maxServicesInFlight` at once; each ends once, and nothing is sent for it afterwards; a host that
 * goes takes all of its requests with it.
 */
import { maxServicesInFlight, type ServiceRequest } from '#reference/contract/guest-protocol.ts';
import type { Agent } from './agent.ts';
import type { LineHandler, Send } from './channel.ts';
import { ExecService } from './exec-service.ts';
import { listFolder, readFile, removeFile, statFile, WriteService } from './file-services.ts';
import type { Line } from './line-reader.ts';
import type { Starter } from './program.ts';
import { readService } from './read-request.ts';
import type { Service, Tell } from './service.ts';

export interface ServicesParts {
  readonly starter: Starter;
  /** It says when services are served. */
  readonly agent: Pick<Agent, 'refusal'>;
  /** For what must not happen. */
  fail(error: unknown): void;
}

type Opening = Extract<ServiceRequest, { method: 'exec' | 'read' | 'write' | 'list' | 'stat' | 'remove' }>;

const isOpening = (request: ServiceRequest): request is Opening =>
  ['exec', 'read', 'write', 'list', 'stat', 'remove'].includes(request.method);

export class Services implements LineHandler {
  readonly #parts: ServicesParts;
  readonly #running = new Map<number, Service>();

  constructor(parts: ServicesParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  line(line: Line, send: Send): void | Promise<void> {
    const reading = readService(line);
    const { id } = reading;
    const running = this.#running.get(id);
    if ('error' in reading) {
      // About a request that runs on, it would read as its end.
      if (running === undefined) return send({ id, ok: false, error: reading.error });
      running.cancel();
      return;
    }
    const { request } = reading;
    if (isOpening(request)) {
      if (running !== undefined) return send({ id: 0, ok: false, error: 'the id is in use' });
      const error = this.#refusal(request);
      if (error !== null) return send({ id, ok: false, error });
      this.#start(request, send);
      return;
    }
    // Without a request: it crossed its end.
    if (running?.follow(request) != null) running.cancel();
  }

  #refusal({ method }: Opening): string | null {
    const refusal = this.#parts.agent.refusal(method === 'exec' ? 'exec' : 'files');
    if (refusal !== null) return refusal;
    return this.#running.size < maxServicesInFlight
      ? null
      : `busy: ${maxServicesInFlight} requests are in flight`;
  }

  #start(request: Opening, send: Send): void {
    const { id } = request;
    const service = this.#open(request, (part) => send({ id, ...part }));
    this.#running.set(id, service);
    service.ended
      .then((end) => {
        this.#running.delete(id);
        return send({ id, ...end });
      })
      .catch(this.#parts.fail);
  }

  #open(request: Opening, tell: Tell): Service {
    switch (request.method) {
      case 'exec':
        return new ExecService(this.#parts.starter, request, tell);
      case 'read':
        return readFile(tell, request.path, request.max_octets);
      case 'write':
        return new WriteService(tell, request.path, request.mode);
      case 'list':
        return listFolder(tell, request.path);
      case 'stat':
        return statFile(tell, request.path);
      case 'remove':
        return removeFile(tell, request.path);
    }
  }

  disconnected(): void {
    for (const service of this.#running.values()) service.cancel();
  }
}
