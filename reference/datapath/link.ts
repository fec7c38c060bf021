/**
 * Taps by rtnetlink (rtnetlink(7)): made down, with everything set before they come up; withdrawn in two
 * steps, of which the first cuts the guest off.
 * Invariant: works with NET_ADMIN alone and /proc/sys read-only: what sysctls say of an interface is set
 * through IFLA_AF_SPEC.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { close, ioctl, open, SyscallError } from '#reference/base/syscalls.ts';
import { attribute, attributesOf, type NetlinkSession, type Request, uint32 } from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

export const AF_INET = 2;
export const AF_INET6 = 10;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_INET_CONF = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFF_UP = 1;
/** Groups of taps that are down for good: the kernel deletes a whole group at the price of one. */
export const firstWithdrawnGroup = 0x6d690000;

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
  /** `tun` for a tap, empty for hardware. */
  readonly kind: string;
}

function linkBody(index: number, flags = 0, change = 0, ...attributes: Buffer[]): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return Buffer.concat([header, ...attributes]);
}

const textOf = (value: Buffer | undefined) => (value?.toString('latin1') ?? '').replace(/\0.*$/s, '');

/** null: there is none of that name. Costs the same however many there are. */
export function findLink(route: NetlinkSession, name: string): Link | null {
  const body = linkBody(0, 0, 0, attribute(IFLA_IFNAME, name));
  try {
    const [payload] = route.dump('find an interface', RTM_GETLINK, body, 0);
    if (payload === undefined) return null;
    const attributes = attributesOf(payload.subarray(16));
    const info = attributesOf(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
    return {
      index: payload.readInt32LE(4),
      up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
      name: textOf(attributes.get(IFLA_IFNAME)),
      kind: textOf(info.get(IFLA_INFO_KIND)),
    };
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENODEV') return null;
    throw error;
  }
}

/** @throws CodedError `no-interface` */
export function linkNamed(route: NetlinkSession, name: string): Link {
  const found = findLink(route, name);
  if (found === null) {
    throw new CodedError('no-interface', `there is no interface ${name}`, 'name one that ip link shows');
  }
  return found;
}

/** What a guest is behind: made down, of a kind by which it is known again. */
export interface GuestLink {
  readonly kind: string;
  /** The VMM's end. */
  create(name: string): number;
}

const TUNSETIFF = 0x400454ca;
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
    if (cause instanceof SyscallError && (cause.code === 'EBUSY' || cause.code === 'EINVAL')) {
      const remedy = 'name another one, or let the datapath reconcile what a killed run left';
      throw new CodedError('tap-taken', `there is an interface ${name} already`, remedy, { cause });
    }
    throw cause;
  }
}

export const tapLink: GuestLink = { kind: 'tun', create: createTap };

/** MAC, per-interface sysctls, no IPv6 address of its own making: all before the tap is up. */
export function prepareTap(route: NetlinkSession, index: number, mac: string): void {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  const conf = onTap.map(([id, value]) => attribute(id, uint32(value)));
  const none = attribute(IFLA_INET6_ADDR_GEN_MODE, Buffer.from([IN6_ADDR_GEN_MODE_NONE]));
  const spec = [attribute(AF_INET, [attribute(IFLA_INET_CONF, conf)]), attribute(AF_INET6, [none])];
  route.request('set MAC and sysctls of the tap', {
    type: RTM_NEWLINK,
    flags: 0,
    body: linkBody(index, 0, 0, attribute(IFLA_ADDRESS, address), attribute(IFLA_AF_SPEC, spec)),
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

export function bringUp(route: NetlinkSession, index: number): void {
  route.request('bring the tap up', { type: RTM_NEWLINK, flags: 0, body: linkBody(index, IFF_UP, IFF_UP) });
}

const downRequest = (index: number, group: number): Request => ({
  type: RTM_NEWLINK,
  flags: 0,
  body: linkBody(index, 0, IFF_UP, attribute(IFLA_GROUP, uint32(group))),
});

/** Down for good. false: it is gone already, with the VMM that held it. */
export function withdraw(route: NetlinkSession, index: number, group: number): boolean {
  return unlessGone(() => route.request('bring the tap down', downRequest(index, group)));
}

export function withdrawInBackground(route: NetlinkSession, index: number, group: number): Promise<boolean> {
  return unlessGoneLater(route.requestInBackground('bring the tap down', downRequest(index, group)));
}

export function deleteLink(route: NetlinkSession, index: number): boolean {
  return unlessGone(() =>
    route.request('delete the tap', { type: RTM_DELLINK, flags: 0, body: linkBody(index) }),
  );
}

const groupRequest = (group: number): Request => ({
  type: RTM_DELLINK,
  flags: 0,
  body: linkBody(0, 0, 0, attribute(IFLA_GROUP, uint32(group))),
});

/** Every tap of the group: some 16 ms, however many they are. */
export function deleteGroup(route: NetlinkSession, group: number): boolean {
  return unlessGone(() => route.request('delete the taps that are down', groupRequest(group)));
}

export function deleteGroupInBackground(route: NetlinkSession, group: number): Promise<boolean> {
  return unlessGoneLater(route.requestInBackground('delete the taps that are down', groupRequest(group)));
}

async function unlessGoneLater(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    return isGone(error);
  }
}

function unlessGone(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    return isGone(error);
  }
}

function isGone(error: unknown): false {
  if (error instanceof SyscallError && error.code === 'ENODEV') return false;
  throw error;
}
