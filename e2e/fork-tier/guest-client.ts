/**
 * A client of a guest's services for every subject alike: programs, and what the lab asks of the agent's process.
 * Invariant: every request has an end within its time; what a guest sends beyond the bounds ends the client.
 */
import type { Duplex } from 'node:stream';
import type { AgentReader, LabReply, LabRequest } from '#properties/subjects/guest-lab.ts';
import { within } from '#reference/base/within.ts';

/** Ten times what it takes on a machine that does nothing else. */
const patienceMs = 60_000;
const maxHeldOctets = 4 << 20;

export interface ProgramResult {
  readonly ok: boolean;
  readonly stdout: Buffer;
  readonly error?: string;
  readonly exitCode?: number;
}

interface Line {
  readonly id?: number;
  readonly ok?: boolean;
  readonly error?: string;
  readonly stream?: string;
  readonly data?: string;
  readonly exit_code?: number;
}

export class GuestClient {
  readonly #stream: Duplex;
  readonly #take = (octets: Buffer) => this.#read(octets);
  readonly #running = new Map<number, { octets: Buffer[]; result: PromiseWithResolvers<ProgramResult> }>();
  readonly #asked: PromiseWithResolvers<LabReply>[] = [];
  #held = '';
  #lastId = 0;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', this.#take);
    stream.on('error', () => undefined);
  }

  /** Answered in the agent's own process. */
  lab(request: LabRequest): Promise<LabReply> {
    const asked = Promise.withResolvers<LabReply>();
    this.#asked.push(asked);
    this.#stream.write(`${JSON.stringify(request)}\n`);
    return within(asked.promise, patienceMs, () => new Error(`the guest did not answer ${request.lab}`));
  }

  /** @throws Error when the guest does not do it */
  async must(request: LabRequest): Promise<LabReply> {
    const reply = await this.lab(request);
    if (!reply.ok) throw new Error(`${request.lab}: ${reply.error ?? 'not done'}`);
    return reply;
  }

  /** So many of each reader of the agent's process. */
  async draw(times: number): Promise<Record<AgentReader, string[]>> {
    return (await this.must({ lab: 'draw', times })).draws as Record<AgentReader, string[]>;
  }

  /** A program in a process of its own. */
  run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramResult> {
    const id = ++this.#lastId;
    const result = Promise.withResolvers<ProgramResult>();
    this.#running.set(id, { octets: [], result });
    const exec = { id, method: 'exec', argv, env, timeout_ms: patienceMs, max_output_octets: maxHeldOctets };
    this.#stream.write(`${JSON.stringify(exec)}\n`);
    return within(result.promise, patienceMs, () => new Error(`${argv[0]} did not end in the guest`));
  }

  /** The channel is somebody else's from now on. */
  detach(): void {
    this.#stream.off('data', this.#take);
    this.#stream.pause();
  }

  #read(octets: Buffer): void {
    this.#held += octets.toString('utf8');
    if (this.#held.length > maxHeldOctets) this.#stream.destroy();
    for (let end = this.#held.indexOf('\n'); end !== -1; end = this.#held.indexOf('\n')) {
      const line = JSON.parse(this.#held.slice(0, end)) as Line;
      this.#held = this.#held.slice(end + 1);
      const request = line.id === undefined ? undefined : this.#running.get(line.id);
      if (request === undefined) this.#asked.shift()?.resolve(line as LabReply);
      else this.#pass(line, request);
    }
  }

  #pass(line: Line, request: { octets: Buffer[]; result: PromiseWithResolvers<ProgramResult> }): void {
    const { id = 0, stream, data = '', ok } = line;
    if (stream !== undefined) {
      if (stream === 'stdout') request.octets.push(Buffer.from(data, 'base64'));
      this.#stream.write(`${JSON.stringify({ id, method: 'ack', chunks: 1 })}\n`);
      return;
    }
    if (ok === undefined) return;
    this.#running.delete(id);
    request.result.resolve({
      ok,
      stdout: Buffer.concat(request.octets),
      ...(line.error === undefined ? {} : { error: line.error }),
      ...(line.exit_code === undefined ? {} : { exitCode: line.exit_code }),
    });
  }
}
