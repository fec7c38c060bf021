/**
 * Asks as a guest does: one socket for each question, over UDP or TCP. Invariant: every wait ends, and what is
 * kept of a server that floods is bounded.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Endpoint } from './endpoint.ts';

export interface Heard {
  /** `refused`: nothing listens there. `garbage`: something came, and none of it answers the question. */
  readonly fate: 'answered' | 'silent' | 'refused' | 'garbage';
  /** The first message with the question's ID and QR=1. */
  readonly answer: Buffer | null;
  /** Everything that came, at most `maxKept`. */
  readonly messages: readonly Buffer[];
  readonly flood: boolean;
  readonly ms: number;
}

/** More than any server has to say to one question. */
export const maxKept = 16;
/** What a server that floods has sent by then, if it floods. */
const lingerMs = 3;

const isAnswer = (octets: Buffer, id: number) =>
  octets.length >= 12 && octets.readUInt16BE(0) === id && ((octets[2] ?? 0) & 0x80) !== 0;

class Hearing {
  readonly messages: Buffer[] = [];
  readonly #begin = performance.now();
  readonly #id: number;
  answer: Buffer | null = null;
  answeredMs = 0;
  flood = false;

  constructor(question: Uint8Array) {
    this.#id = ((question[0] ?? 0) << 8) | (question[1] ?? 0);
  }

  /** true: it is the first answer. */
  add(octets: Buffer): boolean {
    if (this.messages.length < maxKept) this.messages.push(octets);
    else this.flood = true;
    if (this.answer !== null || !isAnswer(octets, this.#id)) return false;
    this.answer = octets;
    this.answeredMs = performance.now() - this.#begin;
    return true;
  }

  end(refused: boolean): Heard {
    const { answer, messages, flood } = this;
    const silence = messages.length === 0 ? (refused ? 'refused' : 'silent') : 'garbage';
    const ms = Math.round(answer === null ? performance.now() - this.#begin : this.answeredMs);
    return { fate: answer === null ? silence : 'answered', answer, messages, flood, ms };
  }
}

/**
 * `until` ends the wait early, whatever came: a message that need not be answered is not waited for. `from` is the
 * guest's address.
 */
export function askOverUdp(
  server: Endpoint,
  question: Uint8Array,
  timeoutMs: number,
  until?: Promise<unknown>,
  from?: string,
): Promise<Heard> {
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  const hearing = new Hearing(question);
  return new Promise((resolve, reject) => {
    let ended = false;
    const end = (refused: boolean) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      socket.close();
      resolve(hearing.end(refused));
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') end(true);
      else if (!ended) {
        ended = true;
        clearTimeout(timer);
        socket.close();
        reject(error);
      }
    });
    socket.on('message', (octets) => {
      if (hearing.add(octets)) setTimeout(() => end(false), lingerMs);
    });
    const ask = () => socket.connect(server.port, server.address, () => socket.send(question));
    if (from === undefined) ask();
    else socket.bind(0, from, ask);
    until?.then(
      () => end(false),
      () => end(false),
    );
  });
}

const maxTcpOctets = 65_537;

export function askOverTcp(
  server: Endpoint,
  question: Uint8Array,
  timeoutMs: number,
  until?: Promise<unknown>,
  from?: string,
): Promise<Heard> {
  const hearing = new Hearing(question);
  return new Promise((resolve) => {
    const own = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host: server.address, port: server.port, ...own });
    let buffered = Buffer.alloc(0);
    let refused = false;
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(hearing.end(refused));
    };
    const timer = setTimeout(end, timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      refused = error.code === 'ECONNREFUSED';
      end();
    });
    socket.on('close', end);
    socket.on('connect', () => {
      socket.write(Buffer.concat([Buffer.from([question.length >> 8, question.length & 255]), question]));
    });
    socket.on('data', (more) => {
      buffered = Buffer.concat([buffered, more]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const octets = buffered.subarray(2, 2 + buffered.readUInt16BE(0));
        buffered = buffered.subarray(2 + octets.length);
        if (hearing.add(octets)) {
          end();
          return;
        }
      }
      if (buffered.length > maxTcpOctets) end();
    });
    until?.then(end, end);
  });
}
