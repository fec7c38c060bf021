/**
 * A guest in a restored microVM: its hostile root puts frames on eth0, and what comes there is read back.
 * Invariant: nothing is sent before the gate admitted the fork and released it; it ends with its VM, and then nothing
 * of the tap is held here.
 */
import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { ServiceChannel } from '#reference/fork-engine/service-channel.ts';
import {
  dataPart,
  type GuestAnswer,
  type GuestOrder,
  maxDataOctets,
  PartReader,
  packed,
} from '../../guests/frame-pipe.ts';
import { bridge } from '../../guests/hostile-names.ts';
import type { GuestEnd, SeenFrame } from '../network-lab.ts';

const maxFrames = 40_000;
const orderDeadlineMs = 60_000;
const lifeMs = 3_600_000;
const maxOutputOctets = 2 ** 40;

/** What holds it, and takes it away. */
export interface ForkedVm {
  readonly pid: number;
  readonly services: ServiceChannel;
  /** When nothing of it is left. */
  end(): Promise<void>;
}

export class VmGuest implements GuestEnd {
  readonly place: SandboxPlace;
  readonly frames: SeenFrame[] = [];
  beyond = 0;
  /** Frames that the guest's kernel did not take: what no device sends. */
  refused = 0;
  readonly #vm: ForkedVm;
  readonly #program: ReturnType<ServiceChannel['exec']>;
  readonly #answers = new Map<number, PromiseWithResolvers<GuestAnswer>>();
  readonly #takers = new Map<number, (octets: Buffer) => void>();
  #next = 1;
  #isSent = true;
  #waiting: Buffer[] = [];
  #writing: Promise<void> | null = null;
  #gone: Error | null = null;
  #ended: Promise<void> | null = null;

  constructor(vm: ForkedVm, place: SandboxPlace) {
    this.#vm = vm;
    this.place = place;
    const reader = new PartReader(({ kind, data }) => {
      if (kind === 'frame') this.#keep(data, false);
      else if (kind === 'answer') this.#answered(JSON.parse(data.toString('utf8')) as GuestAnswer);
      else if (kind === 'data') this.#takers.get(data.readUInt32LE(0))?.(data.subarray(4));
    });
    const run = { argv: bridge, stdin: true, timeout_ms: lifeMs, max_output_octets: maxOutputOctets };
    let said = '';
    this.#program = vm.services.exec(run, (stream, octets) => {
      if (stream === 'stdout') reader.read(octets);
      else said = `${said}${octets.toString('latin1')}`.slice(-1_000);
    });
    this.#program.ended.then(
      (end) => this.#lost(new Error(`the guest’s hostile root is gone: ${JSON.stringify(end)} ${said}`)),
      (error: Error) => this.#lost(error),
    );
  }

  get machine(): number {
    return this.#vm.pid;
  }

  send(frame: Uint8Array): boolean {
    if (this.#gone !== null) return false;
    this.#keep(Buffer.from(frame), true);
    this.#isSent = false;
    this.#write(packed('frame', frame));
    return true;
  }

  async sent(): Promise<void> {
    if (!this.#isSent) await this.settled();
  }

  async settled(): Promise<void> {
    this.#isSent = true;
    try {
      const { refused = 0, beyond = 0 } = await this.order({ do: 'settle' });
      this.refused += refused;
      this.beyond += beyond;
    } catch (error) {
      // Of a guest that was ended here nothing more is to be expected.
      if (this.#ended === null) throw error;
    }
  }

  /** Once all that was written before has been done. */
  async order(order: GuestOrder): Promise<GuestAnswer> {
    if (this.#gone !== null) throw this.#gone;
    const id = this.#next++;
    const asked = Promise.withResolvers<GuestAnswer>();
    this.#answers.set(id, asked);
    const late = () => asked.reject(new Error(`${order.do}: the guest did not answer in time`));
    const timer = setTimeout(late, orderDeadlineMs);
    try {
      this.#write(packed('order', Buffer.from(JSON.stringify({ id, ...order }))));
      const answer = await asked.promise;
      if (answer.error !== undefined) throw new Error(`${order.do}: ${answer.error}`);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#answers.delete(id);
    }
  }

  /** Of an exchange of the guest's own kernel, see `vm-honest-guest.ts`. */
  onData(exchange: number, take: ((octets: Buffer) => void) | null): void {
    if (take === null) this.#takers.delete(exchange);
    else this.#takers.set(exchange, take);
  }

  sendData(exchange: number, octets: Uint8Array): void {
    for (let at = 0; at < octets.length; at += maxDataOctets)
      this.#write(dataPart(exchange, octets.subarray(at, at + maxDataOctets)));
  }

  /** When the VM has ended, its hold on the tap with it. */
  close(): Promise<void> {
    this.#ended ??= this.#vm.end();
    return this.#ended;
  }

  #answered(answer: GuestAnswer): void {
    this.#answers.get(answer.id)?.resolve(answer);
  }

  #keep(frame: Buffer, outgoing: boolean): void {
    if (this.frames.length >= maxFrames) this.beyond += 1;
    else this.frames.push({ atMs: performance.now(), interface: 0, outgoing, frame });
  }

  /** What is written in one turn goes in one piece. */
  #write(part: Buffer): void {
    this.#waiting.push(part);
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    try {
      await new Promise((resolve) => setImmediate(resolve));
      while (this.#waiting.length > 0 && this.#gone === null) {
        const octets = Buffer.concat(this.#waiting);
        this.#waiting = [];
        await this.#program.stdin(octets);
      }
    } catch (error) {
      this.#lost(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#writing = null;
    }
  }

  #lost(why: Error): void {
    this.#gone ??= why;
    for (const { reject } of this.#answers.values()) reject(this.#gone);
  }
}
