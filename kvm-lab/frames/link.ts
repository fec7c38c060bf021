/**
 * Ethernet frames as a hostile guest makes them, of whatever MAC, with tags in any number, ARP of any claim
 * (RFC 826).
 */
import { address, mac, u8, u16 } from './octets.ts';

export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  qinq: 0x88a8,
  pppoe: 0x8864,
  mpls: 0x8847,
  eapol: 0x888e,
  lldp: 0x88cc,
} as const;

export const broadcastMac = 'ff:ff:ff:ff:ff:ff';

export interface Link {
  readonly from: string;
  readonly to: string;
}

export interface Tag {
  readonly type: number;
  readonly vlan: number;
}

export function ethernet(
  { from, to }: Link,
  type: number,
  payload: Uint8Array,
  tags: readonly Tag[] = [],
): Buffer {
  return Buffer.concat([
    mac(to),
    mac(from),
    ...tags.flatMap((tag) => [u16(tag.type), u16(tag.vlan)]),
    u16(type),
    payload,
  ]);
}

/** 802.3 with LLC and SNAP (RFC 1042): the type stands behind a length. */
export function snap({ from, to }: Link, type: number, payload: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([0xaa, 0xaa, 3, 0, 0, 0]), u16(type), payload]);
  return Buffer.concat([mac(to), mac(from), u16(body.length), body]);
}

export interface Arp {
  readonly operation: 1 | 2 | 3 | 4;
  readonly senderMac: string;
  readonly senderAddress: string;
  readonly targetMac?: string;
  readonly targetAddress: string;
}

export function arp({ operation, senderMac, senderAddress, targetMac, targetAddress }: Arp): Buffer {
  return Buffer.concat([
    u16(1),
    u16(etherTypes.ipv4),
    u8(6),
    u8(4),
    u16(operation),
    mac(senderMac),
    address(senderAddress),
    mac(targetMac ?? '00:00:00:00:00:00'),
    address(targetAddress),
  ]);
}
