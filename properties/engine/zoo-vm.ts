/**
 * VMs without a VMM, each with one guest of the zoo behind its control channel, for the executor of the gate; what
 * reaches them, and whether anything of them is left, can be seen.
 */
import { type Duplex, duplexPair } from 'node:stream';
import type { GeneratorState, RunningVm, VmEnd } from '#reference/contract/vmm-port.ts';
import { type Answer, answerOf, type ForkContext, type Guest } from '../models/guest-zoo.ts';
import type { Asked } from '../models/reseed-guest.ts';

/** What is wrong with a guest beyond the line that it answers. */
export type Manners =
  | 'well'
  | 'speaks first'
  | 'half a line'
  | 'half a line, then closes'
  | 'closes'
  | 'garbage'
  | 'flood without a newline'
  | 'the answer twice'
  | 'the answer in single octets'
  | 'the release with the answer'
  | 'panics'
  | 'panics when released'
  | 'silent when released'
  | 'refuses the release'
  | 'says yes as a string when released'
  | 'garbage when released'
  | 'the generator cannot be read'
  | 'the read of the generator hangs';

export const rudeManners: readonly Manners[] = [
  'speaks first',
  'half a line',
  'half a line, then closes',
  'closes',
  'garbage',
  'flood without a newline',
  'the answer twice',
  'the release with the answer',
  'panics',
  'panics when released',
  'silent when released',
  'refuses the release',
  'says yes as a string when released',
  'garbage when released',
  'the generator cannot be read',
  'the read of the generator hangs',
];

export const generatorAtSnapshot: GeneratorState = { generation: '5', keySha256: '5a'.repeat(32) };

export interface ZooGuest {
  readonly guest: Guest;
  readonly manners: Manners;
  readonly context: Omit<ForkContext, 'asked' | 'first'>;
}

const released = '{"ok":true,"signaled_processes":0}\n';

export class ZooVm implements RunningVm {
  readonly id: string;
  readonly pid = 0;
  readonly accelerator = 'tcg';
  /** Methods that reached the guest, in order. */
  readonly asked: string[] = [];
  /** What it answered to `notify_forked`; null: it was not asked. */
  answer: Answer | null = null;
  stops = 0;
  readonly ended: Promise<VmEnd>;
  readonly #zoo: ZooGuest;
  readonly #host: Duplex;
  readonly #guest: Duplex;
  readonly #end = Promise.withResolvers<VmEnd>();
  readonly #first: { asked: Asked | null };
  #timer: NodeJS.Timeout | undefined;
  #text = '';

  /** @param first what the first fork of the crowd was asked: one for all of them */
  constructor(id: string, zoo: ZooGuest, first: { asked: Asked | null }) {
    this.id = id;
    this.#zoo = zoo;
    this.#first = first;
    this.ended = this.#end.promise;
    [this.#host, this.#guest] = duplexPair();
    this.#guest.on('error', () => undefined);
    this.#guest.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    if (zoo.manners === 'speaks first') this.#say('{"ok":true,"reseeded_rng":true}\n');
  }

  channel(): Duplex {
    return this.#host;
  }

  consoleTail(): string {
    return '';
  }

  async generator(): Promise<GeneratorState | null> {
    const { manners, context } = this.#zoo;
    if (manners === 'the generator cannot be read') throw new Error('memsave failed');
    if (manners === 'the read of the generator hangs') return new Promise(() => undefined);
    const witness = this.answer?.witness;
    if (!context.hostWitness || witness === null || witness === undefined) return null;
    return witness.changed ? { generation: '6', keySha256: witness.digest } : generatorAtSnapshot;
  }

  pause(): Promise<never> {
    return Promise.reject(new Error('a guest of the zoo is never paused'));
  }

  save(): Promise<never> {
    return Promise.reject(new Error('a guest of the zoo is never saved'));
  }

  async stop(): Promise<void> {
    this.stops += 1;
    clearTimeout(this.#timer);
    this.#guest.destroy();
    this.#end.resolve({ kind: 'exited', code: null, signal: 'SIGKILL' });
  }

  /** Nothing of it is left. */
  get isGone(): boolean {
    return this.stops > 0 && this.#host.destroyed && this.#guest.destroyed;
  }

  #say(text: string): void {
    if (!this.#guest.destroyed) this.#guest.write(text, 'latin1');
  }

  #take(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end !== -1; end = this.#text.indexOf('\n')) {
      const request = JSON.parse(this.#text.slice(0, end)) as { method: string } & Asked;
      this.#text = this.#text.slice(end + 1);
      this.asked.push(request.method);
      if (request.method === 'notify_forked') this.#forked(request);
      if (request.method === 'release') this.#release();
    }
  }

  #forked({ generation, nonce }: Asked): void {
    const asked = { generation, nonce };
    this.#first.asked ??= asked;
    const { guest, context } = this.#zoo;
    this.answer = answerOf(guest, { ...context, asked, first: this.#first.asked });
    const { line, elapsedMs } = this.answer;
    if (line === null) return;
    // The zoo's lines are text; the channel's octets are UTF-8.
    const octets = Buffer.from(line).toString('latin1');
    this.#timer = setTimeout(() => this.#answer(octets), elapsedMs);
  }

  #answer(line: string): void {
    switch (this.#zoo.manners) {
      case 'half a line':
        this.#say(line.slice(0, 40));
        return;
      case 'half a line, then closes':
        this.#say(line.slice(0, 40));
        this.#guest.end();
        return;
      case 'closes':
        this.#guest.end();
        return;
      case 'garbage':
        this.#say('\0\xff\xfe{{{"ok"\n');
        return;
      case 'flood without a newline':
        this.#say('x'.repeat(1 << 20));
        return;
      case 'the answer twice':
        this.#say(`${line}\n${line}\n`);
        return;
      case 'the release with the answer':
        this.#say(`${line}\n${released}`);
        return;
      case 'panics':
        this.#end.resolve({ kind: 'exited', code: 0, signal: null });
        return;
      case 'the answer in single octets':
        for (const octet of `${line}\n`) this.#say(octet);
        return;
      default:
        this.#say(`${line}\n`);
        return;
    }
  }

  #release(): void {
    switch (this.#zoo.manners) {
      case 'panics when released':
        this.#end.resolve({ kind: 'exited', code: 1, signal: null });
        return;
      case 'silent when released':
        return;
      case 'refuses the release':
        this.#say('{"ok":false,"error":"not answered: refused"}\n');
        return;
      case 'says yes as a string when released':
        this.#say('{"ok":"true"}\n');
        return;
      case 'garbage when released':
        this.#say('ok\n');
        return;
      default:
        this.#say(released);
        return;
    }
  }
}
