/**
 * Pins in a sandbox's sets, by nfnetlink: many elements in one batch, acknowledged by the kernel.
 * Invariant: an element counts as there only when the kernel said so; a batch that fails is tried element by
 * element, so that one that is full costs no other.
 */
import { inetTable, pinSetOf } from '#reference/contract/datapath.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { attribute, type NetlinkSession, NLM_F_CREATE, type Request } from './netlink.ts';

const NFPROTO_INET = 1;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_SUBSYS_NFTABLES = 10;
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

export interface PinElement {
  readonly tap: string;
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly timeoutMs: number;
}

const protocolNumber = { tcp: 6, udp: 17 } as const;

function generic(family: number, resource = 0): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt8(family, 0);
  header.writeUInt16BE(resource, 2);
  return header;
}

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

function milliseconds(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(Math.max(1, Math.round(value))));
  return bytes;
}

function elementMessage(pin: PinElement, verb: 'add' | 'delete'): Request {
  const { key, family } = keyOf(pin);
  const parts = [attribute(NFTA_SET_ELEM_KEY, [attribute(NFTA_DATA_VALUE, key)])];
  if (verb === 'add') {
    // Re-adding extends what is there only when the expiration is sent as well (6.18).
    const time = milliseconds(pin.timeoutMs);
    parts.push(attribute(NFTA_SET_ELEM_TIMEOUT, time), attribute(NFTA_SET_ELEM_EXPIRATION, time));
  }
  return {
    type: verb === 'add' ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
    flags: verb === 'add' ? NLM_F_CREATE : 0,
    body: Buffer.concat([
      generic(NFPROTO_INET),
      attribute(NFTA_SET_ELEM_LIST_TABLE, inetTable),
      attribute(NFTA_SET_ELEM_LIST_SET, pinSetOf(pin.tap, family)),
      attribute(NFTA_SET_ELEM_LIST_ELEMENTS, [attribute(NFTA_LIST_ELEM, parts)]),
    ]),
  };
}

const edge = (type: number): Request => ({
  type,
  flags: 0,
  body: generic(0, NFNL_SUBSYS_NFTABLES),
  unanswered: true,
});
const begin = edge(NFNL_MSG_BATCH_BEGIN);
const end = edge(NFNL_MSG_BATCH_END);

/** errno of each, 0 for done; a batch is done whole or not at all. */
function batch(netfilter: NetlinkSession, messages: readonly Request[]): number[] {
  return netfilter.send([begin, ...messages, end]).slice(1, -1);
}

/** Which of the pins are in the kernel's sets now, in order. */
export function addPins(netfilter: NetlinkSession, pins: readonly PinElement[]): boolean[] {
  return each(netfilter, pins, 'add');
}

/** Which of the pins are out of the kernel's sets now: what was not there counts as out. */
export function deletePins(netfilter: NetlinkSession, pins: readonly PinElement[]): boolean[] {
  return each(netfilter, pins, 'delete');
}

const ENOENT = 2;

function each(netfilter: NetlinkSession, pins: readonly PinElement[], verb: 'add' | 'delete'): boolean[] {
  if (pins.length === 0) return [];
  const messages = pins.map((pin) => elementMessage(pin, verb));
  if (batch(netfilter, messages).every((errno) => errno === 0)) return pins.map(() => true);
  return messages.map((message) => {
    const [errno = -1] = batch(netfilter, [message]);
    return errno === 0 || (verb === 'delete' && errno === ENOENT);
  });
}
