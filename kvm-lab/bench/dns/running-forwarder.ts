/**
 * A forwarder that runs, and the load that is put on it.
 * Invariant: it dies with whoever started it; it counts as running only when it has answered.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as dnsPacket from 'dns-packet';
import type { Forwarder } from './forwarders.ts';
import { loopback } from './ground.ts';
import type { LoadOrder, LoadResult } from './load-order.ts';

const readyDeadlineMs = 20_000;
const warmUpMs = 8_000;
const warmUpAnswers = 60_000;
const endDeadlineMs = 5_000;
const loadScript = fileURLToPath(new URL('./load.ts', import.meta.url));

/** A child that the kernel ends with us. */
export function spawnTied(command: readonly string[]): ChildProcess {
  const tied = ['--pdeathsig', 'KILL', ...command];
  return spawn('setpriv', tied, { stdio: ['ignore', 'pipe', 'pipe'] });
}

function lastWords(child: ChildProcess): () => string {
  let text = '';
  const keep = (chunk: Buffer) => {
    text = `${text}${chunk.toString()}`.slice(-2_000);
  };
  child.stderr?.on('data', keep);
  return () => text.trim();
}

async function answersOnce(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const question = { type: 'A', name: '0000000000.bench.test' } as const;
  socket.on('error', () => undefined);
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(250) });
    socket.send(
      dnsPacket.encode({ type: 'query', id: 1, flags: 256, questions: [question] }),
      port,
      loopback,
    );
    const [message] = (await answered) as [Buffer];
    return (dnsPacket.decode(message).answers ?? []).length > 0;
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return false;
    throw error;
  } finally {
    socket.close();
  }
}

let firstName = 1;

export class RunningForwarder {
  readonly forwarder: Forwarder;
  readonly #child: ChildProcess;
  readonly #words: () => string;

  private constructor(forwarder: Forwarder, child: ChildProcess) {
    this.forwarder = forwarder;
    this.#child = child;
    this.#words = lastWords(child);
    child.stdout?.resume();
  }

  /** Throws with its last words when it does not answer. */
  static async start(forwarder: Forwarder): Promise<RunningForwarder> {
    const running = new RunningForwarder(forwarder, spawnTied(forwarder.command));
    const end = performance.now() + readyDeadlineMs;
    while (!(await answersOnce(forwarder.port))) {
      if (performance.now() < end && running.#child.exitCode === null) continue;
      await running.stop();
      throw new Error(`${forwarder.title.trim()} does not answer: ${running.#words()}`);
    }
    return running;
  }

  /** Until its code is compiled: so many answers, or so long. */
  async warmUp(): Promise<void> {
    await this.load({ warmUpMs: 1, measureMs: warmUpMs, mostAnswered: warmUpAnswers });
  }

  async load(order: Partial<LoadOrder>): Promise<LoadResult> {
    const whole: LoadOrder = {
      target: { address: loopback, port: this.forwarder.port },
      pid: this.#child.pid ?? 0,
      clients: 50,
      outstanding: 100,
      perSecond: null,
      warmUpMs: 700,
      measureMs: 3_000,
      mostAnswered: Number.MAX_SAFE_INTEGER,
      firstName,
      malformedToo: false,
      ...order,
    };
    const child = spawnTied([process.execPath, loadScript, JSON.stringify(whole)]);
    const words = lastWords(child);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const deadline = setTimeout(() => child.kill('SIGKILL'), whole.warmUpMs + whole.measureMs + 30_000);
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(deadline);
    if (code !== 0) throw new Error(`the load on ${this.forwarder.title.trim()} failed: ${words()}`);
    const result = JSON.parse(text) as LoadResult;
    firstName = result.nextName;
    return result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), endDeadlineMs);
    await ended;
    clearTimeout(deadline);
  }
}
