/**
 * Taps and their addresses by rtnetlink (rtnetlink(7)): made down, with everything set before they come up.
 * Invariant: works with NET_ADMIN alone and /proc/sys read-only: what sysctls say of an interface is set
 * through IFLA_AF_SPEC.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { close, ioctl, open, SyscallError } from '#reference/base/syscalls.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import {
  attribute,
  attributesOf,
  type NetlinkSession,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  uint32,
} from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWNEIGH = 28;

const AF_INET = 2;
const AF_INET6 = 10;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFF_UP = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/** include/uapi/linux/ip.h: IPV4_DEVCONF_*, each as Documentation/networking/ip-sysctl.rst describes it. */
const onTap: readonly (readonly [conf: number, value: number])[] = [
  [1, 1], // forwarding
  [3, 0], // proxy_arp
  [4, 0], // accept_redirects
  [5, 0], // secure_redirects
  [6, 0], // send_redirects
  [7, 0], // shared_media
  [8, 1], // rp_filter: strict
  [9, 0], // accept_source_route
  [18, 2], // arp_announce: the address of the guest's subnet
  [19, 1], // arp_ignore: only addresses of this interface
  [21, 0], // arp_accept
  [22, 0], // arp_notify
  [26, 0], // route_localnet
  [30, 1], // drop_unicast_in_l2_multicast
  [31, 1], // drop_gratuitous_arp
  [32, 0], // bc_forwarding
];

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
}

function linkBody(index: number, flags = 0, change = 0, ...attributes: Buffer[]): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return Buffer.concat([header, ...attributes]);
}

/** Every interface of the namespace. */
export function listLinks(route: NetlinkSession): Link[] {
  return route.dump('list interfaces', RTM_GETLINK, linkBody(0)).map((payload) => ({
    index: payload.readInt32LE(4),
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    name: (attributesOf(payload.subarray(16)).get(IFLA_IFNAME)?.toString('latin1') ?? '').replace(
      /\0.*$/,
      '',
    ),
  }));
}

/** @throws CodedError `no-interface` */
export function linkNamed(route: NetlinkSession, name: string): Link {
  const found = listLinks(route).find((link) => link.name === name);
  if (found === undefined) {
    throw new CodedError('no-interface', `there is no interface ${name}`, 'name one that ip link shows');
  }
  return found;
}

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const IFF_TAP_NO_PI = 0x1002;
const IFF_TUN_EXCL = 0x8000;
const O_RDWR_CLOEXEC_NONBLOCK = 0x80802;

/**
 * A new tap, down. The descriptor is the VMM's end; the tap goes when the last one is closed.
 * @throws CodedError `tap-taken`, `no-tun`
 */
export function createTap(name: string): number {
  let fd: number;
  try {
    fd = open('/dev/net/tun', O_RDWR_CLOEXEC_NONBLOCK);
  } catch (cause) {
    const remedy = 'give the pod the device /dev/net/tun, or load the module tun';
    throw new CodedError('no-tun', '/dev/net/tun cannot be opened', remedy, { cause });
  }
  const request = Buffer.alloc(40);
  request.write(name, 0, 15, 'latin1');
  request.writeUInt16LE(IFF_TAP_NO_PI | IFF_TUN_EXCL, 16);
  try {
    ioctl(fd, TUNSETIFF, request);
    return fd;
  } catch (cause) {
    close(fd);
    if (cause instanceof SyscallError && cause.code === 'EBUSY') {
      const remedy = 'name another one, or let the datapath reconcile what a killed run left';
      throw new CodedError('tap-taken', `there is an interface ${name} already`, remedy, { cause });
    }
    throw cause;
  }
}

/** Keeps the tap when the descriptor is closed, for a VMM that opens it by name. */
export function persistTap(fd: number): void {
  ioctl(fd, TUNSETPERSIST, Buffer.from([1, 0, 0, 0]));
}

/** MAC, per-interface sysctls, no IPv6 address of its own making: all before the tap is up. */
export function prepareTap(route: NetlinkSession, index: number, mac: string): void {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  route.request('set the MAC of the tap', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, 0, 0, attribute(IFLA_ADDRESS, address)),
  });
  const conf = onTap.map(([id, value]) => attribute(id, uint32(value)));
  const spec = [attribute(AF_INET, [attribute(IFLA_INET_CONF, conf)])];
  route.request('set the sysctls of the tap', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, 0, 0, attribute(IFLA_AF_SPEC, spec)),
  });
  const none = attribute(IFLA_INET6_ADDR_GEN_MODE, Buffer.from([IN6_ADDR_GEN_MODE_NONE]));
  route.request('keep IPv6 off the tap', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, 0, 0, attribute(IFLA_AF_SPEC, [attribute(AF_INET6, [none])])),
  });
}

/** What comes in by the uplink may be forwarded (replies to the guest). */
export function forwardFrom(route: NetlinkSession, index: number): void {
  const spec = [attribute(AF_INET, [attribute(IFLA_INET_CONF, [attribute(1, uint32(1))])])];
  route.request('let the uplink forward', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, 0, 0, attribute(IFLA_AF_SPEC, spec)),
  });
}

const familyOf = (address: Uint8Array) => (address.length === 4 ? AF_INET : AF_INET6);

function bytesOf(address: string): Buffer {
  const bytes = parseAddress(address);
  if (bytes === null) throw new CodedError('bad-address', `${address} is no address`, 'write it as 10.0.0.1');
  return Buffer.from(bytes);
}

/** The pod's own address on the tap. */
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
  const attributes = [attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)];
  if (bytes.length === 16) attributes.push(attribute(IFA_FLAGS, uint32(IFA_F_NODAD)));
  else if (prefixLength === 32) attributes.push(attribute(IFA_FLAGS, uint32(IFA_F_NOPREFIXROUTE)));
  route.request(`add ${address} to the tap`, {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header, ...attributes]),
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
  route.request(`bind ${address} to the guest’s MAC`, {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([header, attribute(NDA_DST, bytes), attribute(NDA_LLADDR, lladdr)]),
  });
}

export function setUp(route: NetlinkSession, index: number, up: boolean): void {
  route.request(up ? 'bring the tap up' : 'bring the tap down', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, up ? IFF_UP : 0, IFF_UP),
  });
}

export function deleteLink(route: NetlinkSession, index: number): void {
  route.request('delete the tap', { type: RTM_DELLINK, flags: 0, body: linkBody(index) });
}
