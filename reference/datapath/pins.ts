/**
 * Pins in a sandbox's sets, by nfnetlink: many elements in one batch, acknowledged by the kernel.
 * Invariant: an element counts as there only when the kernel said so; a batch that fails is tried again without the
 * commands that the kernel refused, a few times, so that one that is full costs no other and all together little.
 */
import { type AddressFamily, inetTable, type PinElement, pinSetOf } from '#reference/contract/datapath.ts';
import type { PinPlace } from '#reference/contract/pin-port.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { type NetlinkSession, NLM_F_CREATE, NLM_F_REQUEST } from './netlink.ts';
import { NetlinkWriter } from './netlink-writer.ts';
import { familyNumbers, NFNL_SUBSYS_NFTABLES } from './nf-tables/commands.ts';
import { beginBatch, endBatch } from './nf-tables/nft-session.ts';

const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_DATA_VALUE = 1;
const ENOENT = 2;

type Verb = 'add' | 'delete';

const protocolNumber = { tcp: 6, udp: 17 } as const;

/** Elements of one tap: all of them, or none. */
export interface PinBatch {
  readonly kind: Verb;
  readonly tap: string;
  readonly elements: readonly (PinPlace & { readonly timeoutMs?: number })[];
}

/** A batch that is refused again is given up: each time the kernel waits for all its readers to let go. */
const mostTries = 3;

/** So many elements stand in one message: an attribute has 16 bits for its length. */
const elementsAtOnce = 512;
const familyOf = (address: string): AddressFamily => (address.includes(':') ? 'ipv6' : 'ipv4');

const nested = 0x8000;
const timeoutOctets = 12;

/** Attributes of one element, laid out once: key and times are filled in. */
interface ElementForm {
  readonly bytes: Buffer;
  readonly key: number;
  /** Where the 64 bits of each time stand. */
  readonly times: readonly number[];
}

/** A key is a concatenation, each part padded to 32 bits (nft_set: `address . inet_proto . inet_service`). */
function elementForm(verb: Verb, addressOctets: number): ElementForm {
  const keyOctets = addressOctets + 8;
  const times = verb === 'add' ? [NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_EXPIRATION] : [];
  const bytes = Buffer.alloc(12 + keyOctets + times.length * timeoutOctets);
  const head = (at: number, octets: number, type: number) => {
    bytes.writeUInt16LE(octets, at);
    bytes.writeUInt16LE(type, at + 2);
  };
  head(0, bytes.length, NFTA_LIST_ELEM | nested);
  head(4, 8 + keyOctets, NFTA_SET_ELEM_KEY | nested);
  head(8, 4 + keyOctets, NFTA_DATA_VALUE);
  const first = 12 + keyOctets;
  for (const [index, type] of times.entries()) head(first + index * timeoutOctets, timeoutOctets, type);
  return { bytes, key: 12, times: times.map((_, index) => first + index * timeoutOctets + 4) };
}

const forms = {
  add: { 4: elementForm('add', 4), 16: elementForm('add', 16) },
  delete: { 4: elementForm('delete', 4), 16: elementForm('delete', 16) },
} as const;

function writeElement(
  writer: NetlinkWriter,
  verb: Verb,
  { address, protocol, port, timeoutMs = 0 }: PinPlace & { readonly timeoutMs?: number },
): void {
  const octets = parseAddress(address);
  if (octets === null) throw new RangeError(`${address} is no address`);
  const { bytes, key, times } = forms[verb][octets.length as 4 | 16];
  bytes.set(octets, key);
  const end = key + octets.length;
  bytes[end] = protocolNumber[protocol];
  bytes[end + 4] = port >> 8;
  bytes[end + 5] = port & 0xff;
  // Re-adding extends what is there only when the expiration is sent as well (6.18).
  const time = Math.max(1, Math.round(timeoutMs));
  for (const at of times) {
    bytes.writeUInt32BE(Math.floor(time / 2 ** 32), at);
    bytes.writeUInt32BE(time >>> 0, at + 4);
  }
  writer.raw(bytes);
}

export class PinWriter {
  readonly #netfilter: NetlinkSession;
  readonly #table: string;
  readonly #writer = new NetlinkWriter();

  constructor(netfilter: NetlinkSession, table = inetTable) {
    this.#netfilter = netfilter;
    this.#table = table;
  }

  /** Which of the pins are in the kernel's sets now, in order. */
  add(pins: readonly PinElement[]): boolean[] {
    return this.run(pins.map((pin) => ({ kind: 'add', tap: pin.tap, elements: [pin] }))).map(
      (errno) => errno === 0,
    );
  }

  /** Which of the pins are out of the kernel's sets now: what was not there counts as out. */
  delete(pins: readonly PinElement[]): boolean[] {
    return this.run(pins.map((pin) => ({ kind: 'delete', tap: pin.tap, elements: [pin] }))).map(
      (errno) => errno === 0 || errno === ENOENT,
    );
  }

  /** errno of each, 0 where the kernel did it. */
  run(batches: readonly PinBatch[]): number[] {
    if (batches.length === 0) return [];
    const [errno] = this.#send(batches, Number.POSITIVE_INFINITY).values();
    if (errno === undefined || batches.length === 1) return batches.map(() => errno ?? 0);
    return this.#apart(batches, errno);
  }

  /** Each in a message of its own: the kernel goes on past a refusal and names them all. */
  #apart(batches: readonly PinBatch[], firstErrno: number): number[] {
    const errnos = batches.map(() => firstErrno);
    // What comes after a delete of the same element must not come before it.
    const isAnyOrder = batches.every(({ kind }) => kind === 'add');
    let left = batches.map((_, place) => place);
    let doubtful: number[] = [];
    for (let tries = 0; tries < mostTries && left.length > 0; tries++) {
      const tried = left.map((place) => batches[place] as PinBatch);
      const refused = this.#send(tried, 1);
      for (const [at, place] of left.entries()) errnos[place] = refused.get(at) ?? 0;
      if (refused.size === 0) {
        [left, doubtful] = [doubtful, []];
        continue;
      }
      // Nothing of the batch stands. The first was refused by what stood before; what others met may have been its.
      const [, ...others] = left.filter((_, at) => refused.has(at));
      if (isAnyOrder) doubtful.push(...others);
      left = left.filter((_, at) => !refused.has(at));
      if (left.length === 0) [left, doubtful] = [doubtful, []];
      for (const place of left) errnos[place] = refused.values().next().value ?? firstErrno;
    }
    return errnos;
  }

  /**
   * All of them or none. errno of those that were refused, by place; of all when it was the batch as such, or when the
   * answer was lost.
   * @param together how many neighbours of one set share a message, to be refused by the place of the first
   */
  #send(batches: readonly PinBatch[], together: number): Map<number, number> {
    const writer = this.#writer;
    beginBatch(writer);
    /** By message; the batch begins with one of nobody's. */
    const owners = [-1];
    for (let at = 0; at < batches.length; ) {
      const first = at;
      const { kind, tap } = batches[at] as PinBatch;
      while (at < first + together && batches[at]?.kind === kind && batches[at]?.tap === tap) at += 1;
      this.#list(batches, first, at, 'ipv4');
      this.#list(batches, first, at, 'ipv6');
      while (owners.length < writer.count) owners.push(first);
    }
    const refused = new Map<number, number>();
    for (const { index, errno } of this.#netfilter.send(writer, endBatch)) {
      const owner = owners[index] ?? -1;
      if (owner === -1) return new Map(batches.map((_, place) => [place, errno]));
      if (!refused.has(owner)) refused.set(owner, errno);
    }
    return refused;
  }

  /** The elements of one family of the batches from `from` to before `to`, all of one kind and tap. */
  #list(batches: readonly PinBatch[], from: number, to: number, family: AddressFamily): void {
    const writer = this.#writer;
    const { kind, tap } = batches[from] as PinBatch;
    let count = 0;
    for (let at = from; at < to; at++) {
      for (const pin of (batches[at] as PinBatch).elements) {
        if (familyOf(pin.address) !== family) continue;
        if (count === elementsAtOnce) {
          writer.closeNest();
          count = 0;
        }
        if (count === 0) this.#openList(kind, tap, family);
        writeElement(writer, kind, pin);
        count += 1;
      }
    }
    if (count > 0) writer.closeNest();
  }

  #openList(verb: Verb, tap: string, family: AddressFamily): void {
    const [type, flags] = verb === 'add' ? [NFT_MSG_NEWSETELEM, NLM_F_CREATE] : [NFT_MSG_DELSETELEM, 0];
    this.#writer
      .begin(type, flags | NLM_F_REQUEST)
      .nfgen(familyNumbers.inet)
      .text(NFTA_SET_ELEM_LIST_TABLE, this.#table)
      .text(NFTA_SET_ELEM_LIST_SET, pinSetOf(tap, family))
      .openNest(NFTA_SET_ELEM_LIST_ELEMENTS);
  }

  /** Every element of the set goes. */
  flush(tap: string, family: AddressFamily): number {
    beginBatch(this.#writer);
    this.#writer
      .begin(NFT_MSG_DELSETELEM, NLM_F_REQUEST)
      .nfgen(familyNumbers.inet)
      .text(NFTA_SET_ELEM_LIST_TABLE, this.#table)
      .text(NFTA_SET_ELEM_LIST_SET, pinSetOf(tap, family));
    return this.#netfilter.send(this.#writer, endBatch)[0]?.errno ?? 0;
  }
}
