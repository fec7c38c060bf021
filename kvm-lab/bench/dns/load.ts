/**
 * The clients of `pnpm bench dns`, a process of its own: asks distinct names and prints what came back as JSON.
 * Invariant: a question is answered, refused or lost; nothing else becomes of it.
 */
import { EpollIo } from '#reference/dnsproxy/packets/epoll-io.ts';
import type { LoadOrder, LoadResult } from './load-order.ts';
import { processorSeconds, residentOctets } from './processor-time.ts';

const order = JSON.parse(process.argv[2] ?? '') as LoadOrder;
/** Long: who starts a process for each pin is late, not dead. */
const lostAfterMs = 5_000;
const scanEveryMs = 100;
/** Header with RD; ten digits are a label of their own. */
const template = Uint8Array.from([
  ...[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  ...[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[5, ...Buffer.from('bench'), 4, ...Buffer.from('test'), 0],
  ...[0, 1, 0, 1],
]);
/** QR=1 with a QDCOUNT of zero and no end: what no server may take for a question. */
const malformed = Uint8Array.from([...template.subarray(0, 12), 63, ...template.subarray(12, 40)]);

class Load {
  readonly #io = new EpollIo({ socketsPerUpstream: order.clients, renewEveryMs: Number.POSITIVE_INFINITY });
  /** When the question of an ID was sent; 0: none is under way. */
  readonly #sentMs = new Float64Array(65_536);
  readonly #latenciesMs: number[] = [];
  #id = 0;
  #name = order.firstName;
  #underWay = 0;
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #lost = 0;
  #scanMs = 0;
  readonly #startMs = performance.now();
  #measuredMs = 0;
  #processorSeconds = 0;
  #resident: number[] = [];

  async run(): Promise<LoadResult> {
    this.#io.setUpstreams([order.target]);
    await this.#io.run({
      guestMessage: () => undefined,
      upstreamMessage: (_, __, message) => this.#heard(message),
      roundEnded: (nowMs) => this.#round(nowMs),
    });
    return this.#result();
  }

  #round(nowMs: number): number {
    if (this.#measuredMs === 0 && nowMs - this.#startMs >= order.warmUpMs) this.#beginMeasuring(nowMs);
    const isOver = nowMs - this.#measuredMs >= order.measureMs || this.#answered >= order.mostAnswered;
    if (this.#measuredMs !== 0 && isOver) {
      this.#measuredMs = nowMs - this.#measuredMs;
      this.#processorSeconds = processorSeconds(order.pid) - this.#processorSeconds;
      this.#io.close();
      return 0;
    }
    if (nowMs >= this.#scanMs) this.#scan(nowMs);
    if (order.perSecond === null) {
      while (this.#underWay < order.outstanding) this.#ask(nowMs);
      return scanEveryMs;
    }
    const due = ((nowMs - this.#startMs) * order.perSecond) / 1_000;
    while (this.#sent < due) this.#ask(performance.now());
    return 1;
  }

  #beginMeasuring(nowMs: number): void {
    this.#measuredMs = nowMs;
    this.#processorSeconds = processorSeconds(order.pid);
    [this.#answered, this.#failed, this.#lost] = [0, 0, 0];
    this.#latenciesMs.length = 0;
  }

  /** What is overdue is lost; memory is looked at in the same breath. */
  #scan(nowMs: number): void {
    this.#scanMs = nowMs + scanEveryMs;
    if (this.#measuredMs !== 0) this.#resident.push(residentOctets(order.pid));
    for (let id = 0; id < 65_536; id++) {
      const sentMs = this.#sentMs[id] as number;
      if (sentMs === 0 || nowMs - sentMs < lostAfterMs) continue;
      this.#sentMs[id] = 0;
      this.#underWay -= 1;
      this.#lost += 1;
    }
  }

  #ask(nowMs: number): void {
    const id = this.#id;
    this.#id = (id + 1) & 0xffff;
    this.#sent += 1;
    // Sixty thousand are under way: the one before is as good as lost.
    if (this.#sentMs[id] !== 0) return;
    template[0] = id >> 8;
    template[1] = id;
    let rest = this.#name++;
    for (let at = 22; at > 12; at--) {
      template[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    const socket = this.#io.pickSocket(0);
    if (socket === null) throw new Error('no socket to ask on');
    if (order.malformedToo) this.#io.ask(socket, malformed);
    this.#sentMs[id] = nowMs;
    this.#underWay += 1;
    this.#io.ask(socket, template);
  }

  #heard(message: Uint8Array): void {
    const id = ((message[0] ?? 0) << 8) | (message[1] ?? 0);
    const sentMs = this.#sentMs[id] as number;
    if (sentMs === 0 || message.length < template.length) return;
    this.#sentMs[id] = 0;
    this.#underWay -= 1;
    const isAnswer = ((message[3] ?? 0) & 15) === 0 && (message[7] ?? 0) > 0;
    if (!isAnswer) {
      this.#failed += 1;
      return;
    }
    this.#answered += 1;
    if (order.perSecond !== null && this.#measuredMs !== 0)
      this.#latenciesMs.push(performance.now() - sentMs);
  }

  #result(): LoadResult {
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    const quantile = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
    return {
      answered: this.#answered,
      failed: this.#failed,
      lost: this.#lost,
      seconds: this.#measuredMs / 1_000,
      processorSeconds: this.#processorSeconds,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      nextName: this.#name,
      residentOctets: this.#resident,
    };
  }
}

process.stdout.write(JSON.stringify(await new Load().run()));
