/**
 * eth0 by rtnetlink: exactly the addresses and the default routes that the fork was given.
 * Invariant: what it had before the fork is gone when it has what it was given.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { GuestNetwork } from '#reference/contract/guest-protocol.ts';
import {
  attribute,
  attributesOf,
  NETLINK_ROUTE,
  NetlinkSession,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  uint32,
} from '../datapath/netlink.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const AF_INET = 2;
const AF_INET6 = 10;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFF_UP = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const RT_SCOPE_LINK = 253;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

interface Prefix {
  readonly octets: Uint8Array;
  readonly length: number;
}

const familyOf = (octets: Uint8Array) => (octets.length === 4 ? AF_INET : AF_INET6);

/** null: it is none. */
export function readPrefix(text: string): Prefix | null {
  const [address = '', length = '', ...more] = text.split('/');
  const octets = parseAddress(address);
  if (octets === null || more.length > 0 || !/^\d{1,3}$/.test(length)) return null;
  return Number(length) > octets.length * 8 ? null : { octets, length: Number(length) };
}

export class Links {
  readonly #route: NetlinkSession;

  /** In the network namespace of the calling thread. */
  constructor() {
    this.#route = new NetlinkSession(NETLINK_ROUTE);
  }

  bringUp(name: string): void {
    this.#setLink(this.#indexOf(name), undefined);
  }

  /** @throws CodedError `no-guest-interface`, SyscallError */
  configure(network: GuestNetwork, name = 'eth0'): void {
    const index = this.#indexOf(name);
    const wanted = [network.address, network.address6].flatMap((text) => {
      const prefix = text === undefined ? null : readPrefix(text);
      return prefix === null ? [] : [prefix];
    });
    this.#removeAddresses(index);
    this.#setLink(index, network.mtu);
    for (const prefix of wanted) this.#addAddress(index, prefix);
    for (const gateway of [network.gateway, network.gateway6]) {
      const octets = gateway === undefined ? null : parseAddress(gateway);
      if (octets !== null) this.#setDefaultRoute(index, octets);
    }
  }

  /** Looks, and changes nothing. */
  look(): number {
    return this.#addresses().length;
  }

  #indexOf(name: string): number {
    const body = Buffer.concat([Buffer.alloc(16), attribute(IFLA_IFNAME, name)]);
    try {
      const [found] = this.#route.dump('find an interface', RTM_GETLINK, body, 0);
      if (found !== undefined) return found.readInt32LE(4);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENODEV') throw error;
    }
    throw new CodedError(
      'no-guest-interface',
      `there is no interface ${name} in the guest`,
      'give the VM a network device, or no network to configure',
    );
  }

  #setLink(index: number, mtu: number | undefined): void {
    const header = Buffer.alloc(16);
    header.writeInt32LE(index, 4);
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
    const body = mtu === undefined ? header : Buffer.concat([header, attribute(IFLA_MTU, uint32(mtu))]);
    this.#route.request('bring an interface up', { type: RTM_NEWLINK, flags: 0, body });
  }

  /** Of all interfaces: the header of each, and its address. */
  #addresses(): { header: Buffer; address: Buffer }[] {
    return this.#route.dump('list addresses', RTM_GETADDR, Buffer.alloc(8)).flatMap((payload) => {
      const found = attributesOf(payload.subarray(8));
      const address = found.get(IFA_LOCAL) ?? found.get(IFA_ADDRESS);
      return address === undefined ? [] : [{ header: payload.subarray(0, 8), address }];
    });
  }

  /** Routes by them go with them. Those of the link itself (fe80::) stay. */
  #removeAddresses(index: number): void {
    for (const { header, address } of this.#addresses()) {
      if (header.readUInt32LE(4) !== index || header.readUInt8(3) === RT_SCOPE_LINK) continue;
      this.#route.request('remove an address', {
        type: RTM_DELADDR,
        flags: 0,
        body: Buffer.concat([header, attribute(IFA_LOCAL, address), attribute(IFA_ADDRESS, address)]),
      });
    }
  }

  #addAddress(index: number, { octets, length }: Prefix): void {
    const header = Buffer.alloc(8);
    header.writeUInt8(familyOf(octets), 0);
    header.writeUInt8(length, 1);
    header.writeUInt32LE(index, 4);
    this.#route.request('add an address', {
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      body: Buffer.concat([
        header,
        attribute(IFA_LOCAL, octets),
        attribute(IFA_ADDRESS, octets),
        attribute(IFA_FLAGS, uint32(octets.length === 16 ? IFA_F_NODAD : 0)),
      ]),
    });
  }

  #setDefaultRoute(index: number, gateway: Uint8Array): void {
    const header = Buffer.alloc(12);
    header.writeUInt8(familyOf(gateway), 0);
    header.writeUInt8(RT_TABLE_MAIN, 4);
    header.writeUInt8(RTPROT_BOOT, 5);
    header.writeUInt8(RTN_UNICAST, 7);
    this.#route.request('set the default route', {
      type: RTM_NEWROUTE,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      body: Buffer.concat([header, attribute(RTA_GATEWAY, gateway), attribute(RTA_OIF, uint32(index))]),
    });
  }

  close(): void {
    this.#route.close();
  }
}
