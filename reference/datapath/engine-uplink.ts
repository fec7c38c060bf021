/** A veth pair between two network namespaces, and the default route by it (rtnetlink(7), veth(4)). */
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { AF_INET } from './link.ts';
import { attribute, type NetlinkSession, NLM_F_CREATE, NLM_F_EXCL, uint32 } from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_NEWROUTE = 24;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const linkHeaderOctets = 16;

/** Both ends down. @param namespace descriptor of the one that the peer is in */
export function addUplink(route: NetlinkSession, name: string, peer: string, namespace: number): void {
  const header = Buffer.alloc(linkHeaderOctets);
  const inside = Buffer.concat([
    header,
    attribute(IFLA_IFNAME, peer),
    attribute(IFLA_NET_NS_FD, uint32(namespace)),
  ]);
  const info = [
    attribute(IFLA_INFO_KIND, 'veth'),
    attribute(IFLA_INFO_DATA, [attribute(VETH_INFO_PEER, inside)]),
  ];
  route.request('make the uplink of a sandbox', {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header, attribute(IFLA_IFNAME, name), attribute(IFLA_LINKINFO, info)]),
  });
}

export function addDefaultRoute(route: NetlinkSession, gateway: string, index: number): void {
  const header = Buffer.alloc(12);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(RT_TABLE_MAIN, 4);
  header.writeUInt8(RTPROT_BOOT, 5);
  header.writeUInt8(RTN_UNICAST, 7);
  const bytes = parseAddress(gateway);
  if (bytes === null) throw new Error(`${gateway} is no address`);
  route.request('route by the uplink', {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header, attribute(RTA_GATEWAY, bytes), attribute(RTA_OIF, uint32(index))]),
  });
}
