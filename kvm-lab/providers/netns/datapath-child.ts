/**
 * A subject's datapath in a process of its own, driven by JSON lines, wherever that process runs.
 * Invariant: an order has a deadline; a process that is gone answers every order with why.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { DatapathAnswer, DatapathOrder, DatapathStep } from '#properties/subjects/datapath-protocol.ts';
import type { OnStep } from '../network-lab.ts';
import type { SubjectProcess } from './subject-process.ts';

const orderDeadlineMs = 20_000;
const maxSaidOctets = 4_000;

interface Waiting {
  readonly resolve: (answer: DatapathAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly onStep: OnStep | undefined;
}

export class DatapathChild {
  readonly #process: SubjectProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #said = '';
  #rest = '';
  #gone: Error | null = null;

  constructor(process: SubjectProcess) {
    this.#process = process;
    process.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-maxSaidOctets);
    });
    process.stdin.on('error', (error) => this.#lost(error.message));
    void process.ended.then((how) => this.#lost(`${how}: ${this.#said.trim()}`));
  }

  /** As this process sees it. */
  get pid(): number {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#gone === null;
  }

  /** Throws when the datapath refused, died or did not answer. */
  async order(order: DatapathOrder, onStep?: OnStep): Promise<DatapathAnswer> {
    if (this.#gone !== null) throw this.#gone;
    const id = this.#next++;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<DatapathAnswer>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`${order.do}: no answer within ${orderDeadlineMs} ms`)),
          orderDeadlineMs,
        );
        this.#waiting.set(id, { resolve, reject, onStep });
        this.#process.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
      });
      if (!answer.ok) throw new Error(`${order.do}: ${answer.error}`);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Descriptors of taps that the process holds. */
  tapDescriptors(): number[] {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder)
      .map(Number)
      .filter((fd) => targetOf(`${folder}/${fd}`) === '/dev/net/tun');
  }

  /** By `kill -9`; done when the kernel has taken everything from it. */
  async kill(): Promise<void> {
    this.#process.kill();
    await this.#process.ended;
  }

  #read(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const said = JSON.parse(line) as DatapathAnswer | DatapathStep;
      if ('step' in said) void this.#stepped(said.step);
      else this.#waiting.get(said.id)?.resolve(said);
    }
  }

  async #stepped(what: string): Promise<void> {
    const [waiting] = this.#waiting.values();
    try {
      if ((await waiting?.onStep?.(what)) === 'kill') await this.kill();
      else this.#process.stdin.write('{"go":true}\n');
    } catch (error) {
      waiting?.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #lost(why: string): void {
    this.#gone ??= new Error(`the datapath's process is gone: ${why}`);
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
  }
}

/** The program that is the subject's datapath, and its words. */
/** Where a link leads; nowhere when the descriptor was closed meanwhile. */
function targetOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
