/**
 * The node's store of samples and witnesses, seen from a husk: so two husks that hold siblings ask one store.
 * Invariant: an answer that did not come, in time and whole, is `failed`, and is never asked for again: forkd may have
 * inserted what it did not answer for.
 */
import { Socket } from 'node:net';
import { within } from '#reference/base/within.ts';
import {
  maxNodeAnswerOctets,
  type NodeRequest,
  nodeProtocolVersion,
} from '#reference/contract/node-protocol.ts';
import type { WitnessAnswer, WitnessPort } from '#reference/contract/witness-port.ts';
import { connectNode, grantedIn, type NodeAddress, unreachable } from './node-link.ts';

export interface NodeWitnessLimits {
  /** From the call: what waits before it included. */
  readonly deadlineMs: number;
  /** Calls at once. */
  readonly waiting: number;
}

export const nodeWitnessLimits: NodeWitnessLimits = { deadlineMs: 5_000, waiting: 64 };

type Asked = NodeRequest extends infer One ? (One extends NodeRequest ? Omit<One, 'v'> : never) : never;

const answers: readonly unknown[] = ['inserted', 'present', 'full', 'failed'] satisfies WitnessAnswer[];
const newline = 0x0a;

export class NodeWitnesses implements WitnessPort {
  readonly #address: NodeAddress;
  readonly #limits: NodeWitnessLimits;
  #link: Link | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isClosed = false;

  constructor(address: NodeAddress, limits: Partial<NodeWitnessLimits> = {}) {
    this.#address = address;
    this.#limits = { ...nodeWitnessLimits, ...limits };
  }

  async insert(snapshot: string, generation: number, keys: readonly string[]): Promise<WitnessAnswer> {
    try {
      const said = await this.#ask({ ask: 'insert', snapshot, generation, keys });
      const answer = 'answer' in said ? said.answer : null;
      return answers.includes(answer) ? (answer as WitnessAnswer) : 'failed';
    } catch {
      return 'failed';
    }
  }

  async nextGeneration(snapshot: string, above: number): Promise<number> {
    const said = await this.#ask({ ask: 'next-generation', snapshot, above });
    const generation = 'generation' in said ? said.generation : null;
    if (Number.isSafeInteger(generation) && (generation as number) > above) return generation as number;
    throw unreachable('it gave no generation');
  }

  async isAdmitted(snapshot: string, generation: number): Promise<boolean> {
    const said = await this.#ask({ ask: 'is-admitted', snapshot, generation });
    return 'admitted' in said && said.admitted === true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#link?.end('it was closed');
  }

  /** One after the other. */
  async #ask(asked: Asked): Promise<ReturnType<typeof grantedIn>> {
    const { deadlineMs, waiting } = this.#limits;
    if (this.#isClosed) throw unreachable('the husk has hung up');
    if (this.#waiting >= waiting) throw unreachable(`${waiting} calls wait for it already`);
    this.#waiting += 1;
    let link: Link | null = null;
    let isLate = false;
    const answered = this.#turn.then(() => {
      if (isLate) throw unreachable('its turn came too late');
      link = this.#linked();
      return link.ask(`${JSON.stringify({ v: nodeProtocolVersion, ...asked })}\n`);
    });
    this.#turn = answered.catch(() => undefined);
    try {
      return grantedIn(
        await within(answered, deadlineMs, () => unreachable(`no answer in ${deadlineMs} ms`)),
      );
    } catch (error) {
      isLate = true;
      // Its answer may still come: nobody shall take it for the next one's.
      (link as Link | null)?.end('a call failed');
      throw error;
    } finally {
      this.#waiting -= 1;
    }
  }

  #linked(): Link {
    if (this.#isClosed) throw unreachable('the husk has hung up');
    if (this.#link === null || this.#link.hasEnded) this.#link = new Link(connectNode(this.#address));
    return this.#link;
  }
}

/** One connection. */
class Link {
  readonly #socket: Socket;
  #held = Buffer.alloc(0);
  #asked: PromiseWithResolvers<string> | null = null;
  hasEnded = false;

  /** @param fd its own from now on */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.unref();
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', (error) => this.end(error.message));
    this.#socket.on('close', () => this.end('it hung up'));
    this.#socket.on('end', () => this.end('it hung up'));
  }

  ask(line: string): Promise<string> {
    const asked = Promise.withResolvers<string>();
    if (this.hasEnded) return Promise.reject(unreachable('it hung up'));
    this.#asked = asked;
    this.#socket.write(line);
    return asked.promise;
  }

  end(why: string): void {
    this.hasEnded = true;
    this.#socket.destroy();
    this.#asked?.reject(unreachable(why));
    this.#asked = null;
  }

  #take(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    const end = this.#held.indexOf(newline);
    const isWhole = end === this.#held.length - 1;
    if (this.#asked === null || this.#held.length > maxNodeAnswerOctets || (end >= 0 && !isWhole)) {
      this.end('it spoke out of turn, or too long');
      return;
    }
    if (end < 0) return;
    const text = this.#held.toString('utf8', 0, end);
    this.#held = Buffer.alloc(0);
    this.#asked.resolve(text);
    this.#asked = null;
  }
}
