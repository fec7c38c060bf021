/** One run: the server that is judged, the upstream that is hostile to it, the names and the pace. */
import {
  encodeMessage,
  hexOf,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  replyTo,
  types,
} from '#properties/models/dns-message.ts';
import type { Pace } from '../pace.ts';
import { askOverTcp, askOverUdp, type Heard } from './guest.ts';
import { keyOf, type Names } from './names.ts';
import { type Pinned, readPinned } from './pinned-sets.ts';
import { type Answer, octetsOf, readAnswer } from './received.ts';
import type { Settings } from './settings.ts';
import type { Asked, HostileUpstream, Play, Shot } from './upstream.ts';

/** In no registry, and of no part's attack. */
export const honestAddress = {
  [types.a]: '93.184.216.34',
  [types.aaaa]: '2606:2800:220:1:248:1893:25c8:1946',
};
export type AddressType = keyof typeof honestAddress;

export interface Exchange {
  readonly heard: Heard;
  /** null: nothing came, or nothing that a decoder reads. */
  readonly answer: Answer | null;
}

export interface AskOptions {
  readonly transport?: 'udp' | 'tcp';
  readonly timeoutMs?: number;
  /** Ends the wait early. */
  readonly until?: Promise<unknown>;
  /** A guest asks again over TCP when the answer says TC=1; not here. */
  readonly keepTruncated?: true;
  /** Another address of ours. */
  readonly from?: string;
  /** The caller has waited for its turn. */
  readonly turnTaken?: true;
}

export class Stage {
  readonly settings: Settings;
  readonly upstream: HostileUpstream;
  readonly names: Names;
  readonly pace: Pace;
  readonly readPins: () => Promise<Pinned>;
  readonly #remembered = new Map<string, Promise<unknown>>();
  #id = 0x2000;

  constructor(
    settings: Settings,
    upstream: HostileUpstream,
    names: Names,
    pace: Pace,
    readPins: () => Promise<Pinned> = () => readPinned(settings),
  ) {
    this.settings = settings;
    this.upstream = upstream;
    this.names = names;
    this.pace = pace;
    this.readPins = readPins;
  }

  /** IDs of the guest: in order, so that one that shows upstream is no accident. */
  nextId(): number {
    this.#id = (this.#id + 0x0101) & 0xffff;
    return this.#id;
  }

  async ask(octets: readonly number[], options: AskOptions = {}): Promise<Heard> {
    if (options.turnTaken !== true) await this.pace.turn();
    const { server, overTcp, timeoutMs } = this.settings;
    const over = options.transport ?? (overTcp ? 'tcp' : 'udp');
    const send = over === 'tcp' ? askOverTcp : askOverUdp;
    const { until, from } = options;
    return await send(server, Uint8Array.from(octets), options.timeoutMs ?? timeoutMs, until, from);
  }

  /** Scripts the name, asks, and reads what came; over TCP again where the answer says so. */
  async exchange(name: Labels, guest: ModelMessage, play: Play, options: AskOptions = {}): Promise<Exchange> {
    this.upstream.script(name, play);
    const octets = encodeMessage({ ...guest, id: this.nextId() });
    const heard = await this.ask(octets, options);
    const answer = heard.answer === null ? null : readAnswer(heard.answer);
    if (answer?.truncated !== true || options.keepTruncated === true) return { heard, answer };
    const again = await this.ask(octets, { ...options, transport: 'tcp' });
    return { heard: again, answer: again.answer === null ? null : readAnswer(again.answer) };
  }

  /** Made once in a run, by whoever asks first. */
  remembered<Value>(key: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#remembered.get(key);
    if (known !== undefined) return known as Promise<Value>;
    const made = make();
    this.#remembered.set(key, made);
    return made;
  }
}

export function addressRecordOf(owner: Labels, address: string, ttl = 60): ModelRecord {
  const type = address.includes(':') ? types.aaaa : types.a;
  return { owner, type, class: 1, ttl, data: { address: octetsOf(address) } };
}

/** These records, to whoever asks the name; below it, those of them that the asked name owns. */
export function answersWith(
  name: Labels,
  records: readonly ModelRecord[],
  change: (reply: ModelMessage) => ModelMessage = (reply) => reply,
): Play {
  return (asked) => {
    const isName = keyOf(asked.name) === keyOf(name);
    const own = records.filter(
      ({ owner, type, class: ownClass }) =>
        ownClass === 1 && keyOf(owner) === keyOf(asked.name) && (type === asked.type || type === types.cname),
    );
    const reply = replyTo(asked.hex, isName ? records : own);
    return [{ octets: encodeMessage(isName ? change(reply) : reply) }];
  };
}

/** The honest address of the asked type, and nothing else. */
export const honestPlay =
  (name: Labels): Play =>
  (asked) => {
    const address = honestAddress[asked.type as AddressType];
    const records =
      address === undefined || keyOf(asked.name) !== keyOf(name)
        ? []
        : [addressRecordOf(asked.name, address)];
    return [{ octets: encodeMessage(replyTo(asked.hex, records)) }];
  };

export const plainHex = (name: Labels, type: number) => hexOf(encodeMessage(query(name, type)));

export type { Asked, Play, Shot };
