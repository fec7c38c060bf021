/** Addresses, neighbours and routes by rtnetlink: the pod's side of a tap, and what it must not collide with. */
import { CodedError } from '#reference/base/coded-error.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { AF_INET, AF_INET6 } from './link.ts';
import {
  attribute,
  attributesOf,
  type NetlinkSession,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  uint32,
} from './netlink.ts';

const RTM_NEWADDR = 20;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_GETNETCONF = 82;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const RTA_DST = 1;
const RTA_GATEWAY = 5;
const RTM_F_FIB_MATCH = 0x2000;
const RTN_LOCAL = 2;
const NETCONFA_IFINDEX = 1;
const NETCONFA_FORWARDING = 2;
const allInterfaces = -1;

const familyOf = (address: Uint8Array) => (address.length === 4 ? AF_INET : AF_INET6);

function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === null) throw new CodedError('bad-address', `${address} is no address`, 'write it as 10.0.0.1');
  return bytes;
}

/** The pod's own address on the tap. A host's address (/32, /128) brings no route for its prefix. */
export function addAddress(
  route: NetlinkSession,
  index: number,
  address: string,
  prefixLength: number,
): void {
  const bytes = bytesOf(address);
  const header = Buffer.alloc(8);
  header.writeUInt8(familyOf(bytes), 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(index, 4);
  const ofHost = prefixLength === bytes.length * 8 ? IFA_F_NOPREFIXROUTE : 0;
  const flags = ofHost | (bytes.length === 16 ? IFA_F_NODAD : 0);
  route.request('add an address to the tap', {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      header,
      attribute(IFA_LOCAL, bytes),
      attribute(IFA_ADDRESS, bytes),
      attribute(IFA_FLAGS, uint32(flags)),
    ]),
  });
}

/** The guest's pair, for good: the pod never asks who has the address. */
export function bindNeighbor(route: NetlinkSession, index: number, address: string, mac: string): void {
  const bytes = bytesOf(address);
  const header = Buffer.alloc(12);
  header.writeUInt8(familyOf(bytes), 0);
  header.writeInt32LE(index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  const lladdr = Buffer.from(mac.replaceAll(':', ''), 'hex');
  route.request('bind the guest’s address to its MAC', {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([header, attribute(NDA_DST, bytes), attribute(NDA_LLADDR, lladdr)]),
  });
}

/**
 * What an address means in the namespace already: the pod's own, on a link of the pod, or beyond a router.
 * One look into the routing table, however many addresses there are.
 */
export function meaningOf(route: NetlinkSession, address: string): 'own' | 'on-link' | 'elsewhere' {
  const bytes = bytesOf(address);
  const header = Buffer.alloc(12);
  header.writeUInt8(familyOf(bytes), 0);
  header.writeUInt8(bytes.length * 8, 1);
  header.writeUInt32LE(RTM_F_FIB_MATCH, 8);
  const body = Buffer.concat([header, attribute(RTA_DST, bytes)]);
  try {
    const [found] = route.dump('look up a route', RTM_GETROUTE, body, 0);
    if (found === undefined) return 'elsewhere';
    if (found.readUInt8(7) === RTN_LOCAL) return 'own';
    const isDefault = found.readUInt8(1) === 0;
    return isDefault || attributesOf(found.subarray(12)).has(RTA_GATEWAY) ? 'elsewhere' : 'on-link';
  } catch (error) {
    const nowhere = ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'EAFNOSUPPORT'];
    if (error instanceof SyscallError && nowhere.includes(error.code)) return 'elsewhere';
    throw error;
  }
}

/** net.ipv6.conf.all.forwarding: without it no IPv6 packet of a guest is forwarded. */
export function forwardsIpv6(route: NetlinkSession): boolean {
  const header = Buffer.alloc(4);
  header.writeUInt8(AF_INET6, 0);
  const index = Buffer.alloc(4);
  index.writeInt32LE(allInterfaces);
  const body = Buffer.concat([header, attribute(NETCONFA_IFINDEX, index)]);
  try {
    const [found] = route.dump('ask whether IPv6 is forwarded', RTM_GETNETCONF, body, 0);
    const value = attributesOf((found ?? header).subarray(4)).get(NETCONFA_FORWARDING);
    return value !== undefined && value.readInt32LE(0) !== 0;
  } catch (error) {
    if (error instanceof SyscallError && error.code !== 'EPERM') return false;
    throw error;
  }
}
