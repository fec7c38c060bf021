/** The pins that stand in the kernel's sets: what a proxy that was killed left, with the life that is left to each. */

import { SyscallError } from '#reference/base/syscalls.ts';
import { type AddressFamily, pinSetOf } from '#reference/contract/datapath.ts';
import type { StandingPin } from '#reference/contract/pin-port.ts';
import { formatAddress } from '../decisions/pin-address/ip-address.ts';
import { attributesOf, listedAttributes, type NetlinkSession } from './netlink.ts';
import { NetlinkWriter, netlinkHeaderOctets } from './netlink-writer.ts';
import { familyNumbers, NFNL_SUBSYS_NFTABLES } from './nf-tables/commands.ts';

const NFT_MSG_GETSET = (NFNL_SUBSYS_NFTABLES << 8) | 10;
const NFT_MSG_GETSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 13;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_DATA_VALUE = 1;
/** struct nfgenmsg. */
const generic = 4;

const protocols: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };
const families: readonly AddressFamily[] = ['ipv4', 'ipv6'];

function body(table: string, set?: string): Buffer {
  const writer = new NetlinkWriter().begin(0, 0).nfgen(familyNumbers.inet).text(NFTA_SET_TABLE, table);
  if (set !== undefined) writer.text(NFTA_SET_NAME, set);
  return Buffer.from(writer.finish(0).subarray(netlinkHeaderOctets));
}

const textOf = (value: Buffer | undefined) => (value?.toString('utf8') ?? '').replace(/\0.*$/s, '');

/** Nothing where the table or the set is not there: it may not be yet, or go at any moment. */
function listOf(netfilter: NetlinkSession, what: string, type: number, which: Buffer): Buffer[] {
  try {
    return netfilter.dump(what, type, which);
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Taps that have sets of pins in the table, with the families of those. */
export function pinSets(netfilter: NetlinkSession, table: string): Map<string, AddressFamily[]> {
  const found = new Map<string, AddressFamily[]>();
  for (const payload of listOf(netfilter, 'list sets', NFT_MSG_GETSET, body(table))) {
    const attributes = attributesOf(payload.subarray(generic));
    if (textOf(attributes.get(NFTA_SET_TABLE)) !== table) continue;
    const name = textOf(attributes.get(NFTA_SET_NAME));
    const family = families.find((one) => name.endsWith(pinSetOf('', one)));
    if (family === undefined) continue;
    const tap = name.slice(0, -pinSetOf('', family).length);
    found.set(tap, [...(found.get(tap) ?? []), family]);
  }
  return found;
}

/** Every pin of every tap of the table. */
export function readPins(netfilter: NetlinkSession, table: string): StandingPin[] {
  const pins: StandingPin[] = [];
  for (const [tap, own] of pinSets(netfilter, table)) {
    for (const family of own) {
      const set = body(table, pinSetOf(tap, family));
      for (const payload of listOf(netfilter, 'list pins', NFT_MSG_GETSETELEM, set)) {
        pins.push(...pinsOf(payload, tap, family));
      }
    }
  }
  return pins;
}

function pinsOf(payload: Buffer, tap: string, family: AddressFamily): StandingPin[] {
  const list = attributesOf(payload.subarray(generic)).get(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list === undefined) return [];
  return listedAttributes(list).flatMap(([, element]) => {
    const attributes = attributesOf(element);
    const key = attributesOf(attributes.get(NFTA_SET_ELEM_KEY) ?? Buffer.alloc(0)).get(NFTA_DATA_VALUE);
    const length = family === 'ipv4' ? 4 : 16;
    const protocol = protocols[key?.[length] ?? 0];
    if (key === undefined || protocol === undefined) return [];
    // Without an expiration of its own it lives as long as it was given, or for ever.
    const left = attributes.get(NFTA_SET_ELEM_EXPIRATION) ?? attributes.get(NFTA_SET_ELEM_TIMEOUT);
    return [
      {
        tap,
        address: formatAddress(key, 0, length),
        protocol,
        port: key.readUInt16BE(length + 4),
        remainingMs: left === undefined ? Number.MAX_SAFE_INTEGER : Number(left.readBigUInt64BE(0)),
      },
    ];
  });
}
