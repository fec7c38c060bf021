/** A DNS server of the world that does what a script says: answers, lies, delays, silence, over UDP and TCP. */
import type { ScriptedServer as Port, UpstreamQuestion, UpstreamReply, UpstreamScript } from '../dns-lab.ts';
import type { Place } from '../network-lab.ts';
import type { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';
import { type Connection, DatagramSocket, type Listener, listenTcp } from './sockets.ts';

const maxQuestions = 150_000;
const betweenPiecesMs = 5;
const maxPendingOctets = 1 << 20;

export class ScriptedServer implements Port {
  readonly place: Place;
  readonly questions: UpstreamQuestion[] = [];
  readonly #scripts = new Map<string, UpstreamScript>();
  readonly #asked = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #pending = new WeakMap<Connection, Buffer>();
  #otherwise: UpstreamScript = () => [];
  #listeners: Listener[];

  constructor(reactor: Reactor, namespace: Namespace, place: Place) {
    this.place = place;
    const udp = new DatagramSocket(reactor, namespace, place, (data, from, socket) => {
      const question = this.#note(data, from, 'udp');
      for (const { message, afterMs = 0 } of this.#repliesTo(question)) {
        this.#later(afterMs, () => void socket.send(message, from));
      }
    });
    const tcp = listenTcp(
      reactor,
      namespace,
      place,
      () => undefined,
      (data, of) => this.#read(data, of),
    );
    this.#listeners = [udp, tcp];
  }

  script(name: string, script: UpstreamScript): void {
    this.#scripts.set(name, script);
  }

  otherwise(script: UpstreamScript): void {
    this.#otherwise = script;
  }

  kill(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
  }

  #note(message: Buffer, from: Place, transport: 'udp' | 'tcp'): UpstreamQuestion {
    const read = questionOf(message);
    const question = { atMs: performance.now(), server: this.place, from, transport, message, ...read };
    if (this.questions.length < maxQuestions) this.questions.push(question);
    return question;
  }

  #repliesTo(question: UpstreamQuestion): readonly UpstreamReply[] {
    const key = `${question.name} ${question.type}`;
    const nth = this.#asked.get(key) ?? 0;
    this.#asked.set(key, nth + 1);
    return (this.#scripts.get(question.name) ?? this.#otherwise)(question, nth);
  }

  #read(data: Buffer | null, of: Connection): void {
    if (data === null) return;
    let pending = Buffer.concat([this.#pending.get(of) ?? Buffer.alloc(0), data]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const question = this.#note(Buffer.from(pending.subarray(2, end)), of.peer, 'tcp');
      pending = Buffer.from(pending.subarray(end));
      for (const reply of this.#repliesTo(question)) this.#sendStream(reply, of);
    }
    this.#pending.set(of, pending.subarray(0, maxPendingOctets));
  }

  #sendStream({ message, afterMs = 0, splitAt = [], close }: UpstreamReply, of: Connection): void {
    const stream = Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
    const cuts = [0, ...splitAt, stream.length];
    cuts.slice(1).forEach((end, index) => {
      const piece = stream.subarray(cuts[index], end);
      this.#later(afterMs + index * betweenPiecesMs, () => of.send(piece));
    });
    if (close) this.#later(afterMs + cuts.length * betweenPiecesMs, () => of.close());
  }

  /** At once without a timer: what is scripted without delay is as fast as can be. */
  #later(afterMs: number, work: () => void): void {
    if (afterMs === 0) {
      work();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, afterMs);
    this.#timers.add(timer);
  }
}

/** Name in lower case and type of the first question, as far as they can be read without compression. */
function questionOf(message: Buffer): { name: string; type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length !== 0 && length < 64; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { name: labels.join('.'), type: at + 3 <= message.length ? message.readUInt16BE(at + 1) : 0 };
}
