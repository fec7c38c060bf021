/**
 * Pins in a sandbox's sets, by nfnetlink: many elements in one batch, acknowledged by the kernel.
 * Invariant: an element counts as there only when the kernel said so; a batch that fails is tried element by
 * element, so that one that is full costs no other.
 */
import { inetTable, type PinElement, pinSetOf } from '#reference/contract/datapath.ts';
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

/** A concatenation: each part padded to 32 bits (nft_set: `address . inet_proto . inet_service`). */
function keyOf({ address, protocol, port }: PinElement): { key: Buffer; family: 'ipv4' | 'ipv6' } {
  const bytes = parseAddress(address);
  if (bytes === null) throw new RangeError(`${address} is no address`);
  const key = Buffer.alloc(bytes.length + 8);
  key.set(bytes, 0);
  key.writeUInt8(protocolNumber[protocol], bytes.length);
  key.writeUInt16BE(port, bytes.length + 4);
  return { key, family: bytes.length === 4 ? 'ipv4' : 'ipv6' };
}

function writeElement(writer: NetlinkWriter, pin: PinElement, verb: Verb): void {
  const { key, family } = keyOf(pin);
  const [type, flags] = verb === 'add' ? [NFT_MSG_NEWSETELEM, NLM_F_CREATE] : [NFT_MSG_DELSETELEM, 0];
  writer
    .begin(type, flags | NLM_F_REQUEST)
    .nfgen(familyNumbers.inet)
    .text(NFTA_SET_ELEM_LIST_TABLE, inetTable)
    .text(NFTA_SET_ELEM_LIST_SET, pinSetOf(pin.tap, family))
    .nest(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
      writer.nest(NFTA_LIST_ELEM, () => {
        writer.nest(NFTA_SET_ELEM_KEY, () => writer.bytes(NFTA_DATA_VALUE, key));
        if (verb === 'delete') return;
        // Re-adding extends what is there only when the expiration is sent as well (6.18).
        const time = BigInt(Math.max(1, Math.round(pin.timeoutMs)));
        writer.uint64(NFTA_SET_ELEM_TIMEOUT, time).uint64(NFTA_SET_ELEM_EXPIRATION, time);
      });
    });
}

export class PinWriter {
  readonly #netfilter: NetlinkSession;
  readonly #writer = new NetlinkWriter();

  constructor(netfilter: NetlinkSession) {
    this.#netfilter = netfilter;
  }

  /** Which of the pins are in the kernel's sets now, in order. */
  add(pins: readonly PinElement[]): boolean[] {
    return this.#each(pins, 'add');
  }

  /** Which of the pins are out of the kernel's sets now: what was not there counts as out. */
  delete(pins: readonly PinElement[]): boolean[] {
    return this.#each(pins, 'delete');
  }

  #each(pins: readonly PinElement[], verb: Verb): boolean[] {
    if (pins.length === 0) return [];
    if (this.#batch(pins, verb) === 0) return pins.map(() => true);
    return pins.map((pin) => {
      const errno = this.#batch([pin], verb);
      return errno === 0 || (verb === 'delete' && errno === ENOENT);
    });
  }

  /** errno of the first that was refused, 0 when all were done; a batch is done whole or not at all. */
  #batch(pins: readonly PinElement[], verb: Verb): number {
    beginBatch(this.#writer);
    for (const pin of pins) writeElement(this.#writer, pin, verb);
    return this.#netfilter.send(this.#writer, endBatch)[0]?.errno ?? 0;
  }
}
