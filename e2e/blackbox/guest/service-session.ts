/**
 * A host's side of an agent's services channel, as far as a program of the guest can be asked for.
 * Invariant: one exec at a time; its output and its time have bounds.
 */
import { readAnswer } from '#reference/fork-engine/control-channel.ts';
import type { Ground } from './agent-session.ts';
import type { Endpoint } from './endpoint.ts';
import { type Heard, LineChannel } from './line-channel.ts';
import { openEndpoint } from './open-endpoint.ts';

export interface Executed {
  /** What ended it: the agent's end of the request, or how the channel broke. */
  readonly heard: Heard;
  readonly isServed: boolean;
  readonly exitCode: number | null;
  readonly stdout: Buffer;
}

const maxOutputOctets = 1 << 16;
const maxLines = 1_000;

export class ServiceSession {
  readonly #ground: Ground;
  readonly #channel: LineChannel;
  #lastId = 0;

  private constructor(ground: Ground, channel: LineChannel) {
    this.#ground = ground;
    this.#channel = channel;
  }

  /** @throws Unreachable */
  static async open(endpoint: Endpoint, ground: Ground): Promise<ServiceSession> {
    const stream = await openEndpoint(endpoint, ground.timeoutMs);
    return new ServiceSession(ground, new LineChannel(stream, ground.listen));
  }

  async exec(argv: readonly string[]): Promise<Executed> {
    const { pace, timeoutMs } = this.#ground;
    await pace.turn();
    this.#lastId += 1;
    const id = this.#lastId;
    const request = { id, method: 'exec', argv, timeout_ms: timeoutMs, max_output_octets: maxOutputOctets };
    const chunks: Buffer[] = [];
    let heard = await this.#channel.ask(`${JSON.stringify(request)}\n`, timeoutMs);
    for (let lines = 0; heard.fate === 'line' && lines < maxLines; lines++) {
      const line = readAnswer(heard.line);
      // An id of 0 refuses a line that named no request: there is one.
      if (line !== null && typeof line.ok === 'boolean' && (line.id === id || line.id === 0)) {
        const exitCode = typeof line.exit_code === 'number' ? line.exit_code : null;
        return { heard, isServed: line.ok, exitCode, stdout: Buffer.concat(chunks) };
      }
      if (line?.id === id && typeof line.data === 'string') {
        if (line.stream === 'stdout') chunks.push(Buffer.from(line.data, 'base64'));
        this.#channel.write(`${JSON.stringify({ id, method: 'ack', chunks: 1 })}\n`);
      }
      heard = await this.#channel.next(timeoutMs);
    }
    // A program that wrote was served, however it ended.
    return { heard, isServed: chunks.length > 0, exitCode: null, stdout: Buffer.concat(chunks) };
  }

  close(): void {
    this.#channel.close();
  }
}
