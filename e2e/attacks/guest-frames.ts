/** Frames as attacks write them: the guest's link, and any packet on it. */
import { ipv4, ipv6, protocols } from '#kvm-lab/frames/internet.ts';
import { ethernet, etherTypes, type Link } from '#kvm-lab/frames/link.ts';
import { address, mac, u32 } from '#kvm-lab/frames/octets.ts';
import { flags, icmp, icmpv6, linkOption, tcp, udp } from '#kvm-lab/frames/transport.ts';
import { guest, hosts, uplink } from '#kvm-lab/providers/topology.ts';

export const own = guest.ipv4.guest;
export const gateway = guest.ipv4.gateway;
export const tapLink: Link = { from: guest.guestMac, to: guest.tapMac };
export { hosts, uplink };

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
}

export const on4 = (packet: Buffer, link: Link = tapLink) => ethernet(link, etherTypes.ipv4, packet);
export const on6 = (packet: Buffer, link: Link = tapLink) => ethernet(link, etherTypes.ipv6, packet);

/** The first segment of a connection; its sequence number follows from the port. */
export function synPacket(ends: Ends, ttl = 64): Buffer {
  const segment = tcp(ends, { ...ends, sequence: ends.fromPort * 1_000, flags: flags.syn });
  return ends.from.includes(':')
    ? ipv6({ ...ends, ttl }, protocols.tcp, segment)
    : ipv4({ ...ends, ttl }, protocols.tcp, segment);
}

export function datagramPacket(ends: Ends, data: Uint8Array = Buffer.from('attack'), ttl = 64): Buffer {
  const datagram = udp(ends, ends, data);
  return ends.from.includes(':')
    ? ipv6({ ...ends, ttl }, protocols.udp, datagram)
    : ipv4({ ...ends, ttl }, protocols.udp, datagram);
}

const framed = (from: string, packet: Buffer) => (from.includes(':') ? on6(packet) : on4(packet));

export const syn = (ends: Ends) => framed(ends.from, synPacket(ends));
export const datagram = (ends: Ends, data?: Uint8Array) => framed(ends.from, datagramPacket(ends, data));

export function echoRequest(from: string, to: string, ttl = 64): Buffer {
  const rest = Buffer.concat([Buffer.from([0x4d, 1, 0, 1]), Buffer.from('attack')]);
  return from.includes(':')
    ? on6(ipv6({ from, to, ttl }, protocols.icmpv6, icmpv6({ from, to }, 128, 0, rest)))
    : on4(ipv4({ from, to, ttl }, protocols.icmp, icmp(8, 0, rest)));
}

/** A neighbour solicitation for `target` to the target itself, with the sender's MAC (RFC 4861 section 4.3). */
export function solicitation6(from: string, target: string, senderMac: string, to = target): Buffer {
  const rest = Buffer.concat([u32(0), address(target), linkOption(1, mac(senderMac))]);
  return ipv6({ from, to, ttl: 255 }, protocols.icmpv6, icmpv6({ from, to }, 135, 0, rest));
}

/** RFC 2464 section 7. */
export function groupMac(group: string): string {
  const low = address(group).subarray(-4);
  return group.includes(':')
    ? `33:33:${[...low].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
    : `01:00:5e:${[(low[1] ?? 0) & 0x7f, low[2] ?? 0, low[3] ?? 0].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
