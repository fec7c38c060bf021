/**
 * exec: a program of the workload, its input and output in chunks.
 * Invariant: no more than `max_output_octets` are passed on, and whoever exceeds them, its time or its window is ended.
 */
import type { ExecRequest, ServiceRequest } from '#reference/contract/guest-protocol.ts';
import { maxChunkOctets } from '#reference/contract/guest-protocol.ts';
import { ChunkQueue, ChunkWindow } from './chunk-window.ts';
import { chunksOf, Program, StartError, type Starter } from './program.ts';
import type { End, Service, Tell } from './service.ts';

const signals = new Set([
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTERM',
  'SIGCONT',
  'SIGSTOP',
  'SIGWINCH',
]);

export class ExecService implements Service {
  readonly ended: Promise<End>;
  readonly #tell: Tell;
  readonly #window = new ChunkWindow();
  readonly #input: ChunkQueue;
  readonly #program: Promise<Program | StartError>;
  #isCancelled = false;
  #hasInput: boolean;
  #octetsLeft: number;

  constructor(starter: Starter, request: ExecRequest, tell: Tell) {
    this.#tell = tell;
    this.#hasInput = request.stdin === true;
    this.#octetsLeft = request.max_output_octets;
    this.#input = new ChunkQueue(() => this.cancel());
    this.#program = Program.start(starter, request, this.#hasInput ? 'pipes' : 'output').catch((error) => {
      if (error instanceof StartError) return error;
      throw error;
    });
    this.ended = this.#run();
  }

  async #run(): Promise<End> {
    const program = await this.#program;
    if (program instanceof StartError) return { ok: false, error: program.message };
    if (this.#isCancelled) program.kill('SIGKILL');
    await Promise.all(program.outputs.map(({ name, stream }) => this.#pass(program, name, chunksOf(stream))));
    const end = await program.ended;
    const isCut = this.#octetsLeft < 0;
    if (this.#isCancelled) return { ok: false, error: 'cancelled', ...end };
    return { ok: true, ...end, ...(isCut ? { truncated: true } : {}) };
  }

  async #pass(program: Program, stream: 'stdout' | 'stderr', chunks: AsyncGenerator<Buffer>): Promise<void> {
    for await (const chunk of chunks) {
      const kept = chunk.subarray(0, Math.max(0, this.#octetsLeft));
      this.#octetsLeft -= chunk.length;
      if (this.#octetsLeft < 0) program.kill('SIGKILL');
      for (let at = 0; at < kept.length; at += maxChunkOctets) {
        if (!(await this.#window.room())) break;
        const data = kept.subarray(at, at + maxChunkOctets).toString('base64');
        await this.#tell({ stream, data });
      }
    }
  }

  follow(request: ServiceRequest): string | null {
    switch (request.method) {
      case 'stdin':
        if (!this.#hasInput) return 'it has no stdin, or no more';
        return this.#input.add(
          () => this.#act((program) => written(program, Buffer.from(request.data, 'base64'))),
          () => this.#tell({ ack: 1 }),
        )
          ? null
          : 'more chunks were sent than the window holds';
      case 'stdin_end':
        if (!this.#hasInput) return 'it has no stdin, or no more';
        this.#hasInput = false;
        this.#input.end(() => this.#act((program) => program.stdin?.end()));
        return null;
      case 'kill':
        if (!signals.has(request.signal)) return `signal is none of ${[...signals].join(', ')}`;
        void this.#act((program) => program.kill(request.signal as NodeJS.Signals));
        return null;
      case 'ack':
        return this.#window.acknowledged(request.chunks)
          ? null
          : 'more chunks are acknowledged than were sent';
      case 'cancel':
        this.cancel();
        return null;
      default:
        return 'an exec knows stdin, stdin_end, kill, ack and cancel';
    }
  }

  /** Once it runs, if it does. */
  async #act(act: (program: Program) => unknown): Promise<void> {
    const program = await this.#program;
    if (program instanceof Program) await act(program);
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#window.giveUp();
    void this.#act((program) => program.kill('SIGKILL'));
  }
}

/** Ends when the pipe has it, or when nobody will ever read it. */
function written(program: Program, octets: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const { stdin } = program;
    if (stdin === null || stdin.destroyed) return resolve();
    // Told with an error when it is closed before.
    stdin.write(octets, () => resolve());
  });
}
