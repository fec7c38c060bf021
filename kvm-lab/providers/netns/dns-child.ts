/**
 * A subject's DNS proxy in a process of its own, driven by JSON lines; for a mutant, the reference with one line
 * changed while it is loaded; the reference on its portable adapter where that is asked for.
 * Invariant: it dies with this process; an order has a deadline; a process that is gone answers every order with why.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { DnsProxyAnswer, DnsProxyOrder } from '#properties/subjects/dnsproxy-protocol.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { markedEnvironment } from '../../leftovers/owner.ts';
import type { DnsForm } from '../dns-lab.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const orderDeadlineMs = 20_000;
const maxSaidOctets = 4_000;

interface Waiting {
  readonly resolve: (answer: DnsProxyAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class DnsChild {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #next = 1;
  #said = '';
  #rest = '';
  #gone: Error | null = null;

  constructor(subject: BuiltInSubject, { mutant = null, adapter = 'epoll' }: DnsForm = {}) {
    const main = `${root}properties/subjects/${subject}/dnsproxy-main.ts`;
    const planted = mutant === null ? [] : ['--import', `${root}properties/matrix/plant-in-process.ts`];
    this.#process = spawn(process.execPath, [...planted, main], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: root,
      env: {
        ...markedEnvironment(),
        HUSKPROOF_DNS_IO: adapter,
        ...(mutant === null ? {} : { HUSKPROOF_MUTANT: mutant }),
      },
    });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-maxSaidOctets);
    });
    // A process that is killed resets its pipes.
    for (const pipe of this.#process.stdio) pipe?.on('error', (error) => this.#lost(error.message));
    this.#process.on('error', (error) => this.#lost(error.message));
    this.#ended = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => {
        this.#lost(`exit ${code ?? signal}: ${this.#said.trim()}`);
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
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
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<DnsProxyAnswer>((resolve, reject) => {
        const late = () => reject(new Error(`${order.do}: no answer within ${orderDeadlineMs} ms`));
        timer = setTimeout(late, orderDeadlineMs);
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
    this.#process.kill('SIGKILL');
    await this.#ended;
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
