/**
 * A subject's DNS proxy in a process of its own, driven by JSON lines, wherever that process runs.
 * Invariant: an order has a deadline; a process that is gone answers every order with why.
 */
import type { DnsProxyAnswer, DnsProxyOrder } from '#properties/subjects/dnsproxy-protocol.ts';
import type { SubjectProcess } from './subject-process.ts';

const orderDeadlineMs = 20_000;
/** Of the first one: the program is still being loaded, in a container on a machine that others use too. */
const firstDeadlineMs = 60_000;
const maxSaidOctets = 4_000;

interface Waiting {
  readonly resolve: (answer: DnsProxyAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class DnsChild {
  readonly #process: SubjectProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #said = '';
  #rest = '';
  #gone: Error | null = null;

  constructor(process: SubjectProcess) {
    this.#process = process;
    const { stdin, stdout, stderr } = process;
    stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-maxSaidOctets);
    });
    // A process that is killed resets its pipes.
    for (const pipe of [stdin, stdout, stderr]) pipe.on('error', (error) => this.#lost(error.message));
    void process.ended.then((how) => this.#lost(`${how}: ${this.#said.trim()}`));
  }

  /** As this process sees it. */
  get pid(): number {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#gone === null;
  }

  /** The end of what it wrote to stderr: a failed pin is logged there. */
  get said(): string {
    return this.#said;
  }

  /** Throws when the proxy refused, died or did not answer. */
  async order(order: DnsProxyOrder): Promise<DnsProxyAnswer> {
    if (this.#gone !== null) throw this.#gone;
    const id = this.#next++;
    const deadlineMs = id === 1 ? firstDeadlineMs : orderDeadlineMs;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<DnsProxyAnswer>((resolve, reject) => {
        const late = () => reject(new Error(`${order.do}: no answer within ${deadlineMs} ms`));
        timer = setTimeout(late, deadlineMs);
        this.#waiting.set(id, { resolve, reject });
        this.#process.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
      });
      if (!answer.ok) throw new Error(`dns ${order.do}: ${answer.code ?? ''} ${answer.error}`);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
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
      const said = JSON.parse(line) as DnsProxyAnswer;
      this.#waiting.get(said.id)?.resolve(said);
    }
  }

  #lost(why: string): void {
    this.#gone ??= new Error(`the DNS proxy's process is gone: ${why}`);
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
  }
}
