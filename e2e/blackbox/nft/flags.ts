/** The flags of `pnpm check nft` as facts about the guest and its network; each refused with what is valid. */
import { isIP } from 'node:net';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Allowed, InboundPort } from './facts.ts';

export interface NftFlags {
  readonly ruleset?: string;
  readonly netns?: string;
  readonly ingressDev?: readonly string[];
  readonly tap?: readonly string[];
  readonly guest?: readonly string[];
  readonly guestMac?: readonly string[];
  readonly resolver?: string;
  readonly uplink?: string;
  readonly local?: readonly string[];
  readonly allow?: readonly string[];
  readonly inbound?: readonly string[];
}

function refuse(flag: string, value: string, valid: string): never {
  throw new CodedError('bad-nft-flag', `${flag} ${value} says nothing that can be used`, `give ${valid}`);
}

const interfaceName = /^[^\s/:]{1,15}$/;

export function parseDevice(flag: string, text: string): string {
  return interfaceName.test(text) ? text : refuse(flag, text, 'the name of an interface, 1 to 15 characters');
}

export function parseAddress(flag: string, text: string): string {
  return isIP(text) !== 0 ? text : refuse(flag, text, 'an IPv4 or IPv6 address, without a length');
}

export function parseGuest(text: string): string {
  return isIP(text) === 4
    ? text
    : refuse('--guest', text, 'the IPv4 address of the guest, such as 10.200.0.2');
}

export function parseMac(text: string): number[] {
  const octets = text.split(':');
  const sound = octets.length === 6 && octets.every((octet) => /^[0-9a-fA-F]{2}$/.test(octet));
  if (!sound) refuse('--guest-mac', text, 'six octets, such as 02:00:00:00:00:02');
  return octets.map((octet) => Number.parseInt(octet, 16));
}

/** A prefix in CIDR form; host bits are no matter. */
function isPrefix(text: string): boolean {
  const [address = '', length = '', more] = text.split('/');
  const family = isIP(address);
  return (
    family !== 0 &&
    more === undefined &&
    /^\d{1,3}$/.test(length) &&
    Number(length) <= (family === 4 ? 32 : 128)
  );
}

/** `ADDR[/LEN][@IF]`. */
export function parseLocal(text: string): { readonly address: string; readonly device: string | null } {
  const [address = '', device] = text.split('@');
  const whole = address.includes('/') ? address : `${address}/${address.includes(':') ? 128 : 32}`;
  if (!isPrefix(whole))
    refuse('--local', text, 'ADDR, ADDR/LEN or ADDR/LEN@INTERFACE, such as 172.20.0.10/24');
  return { address: whole, device: device === undefined ? null : parseDevice('--local', device) };
}

const allowForm =
  'tcp:203.0.113.0/24:443, udp:…, any:CIDR:*, with a port, a range 80-90 or *; or none, or any';

export function parseAllow(texts: readonly string[]): readonly Allowed[] | 'any' {
  if (texts.includes('any')) return 'any';
  return texts.filter((text) => text !== 'none').map(parseAllowed);
}

function parseAllowed(text: string): Allowed {
  const [, protocol, prefix = '', ports = ''] = /^(tcp|udp|any):(.+):([\d*-]+)$/.exec(text) ?? [];
  const whole = prefix.includes('/') ? prefix : `${prefix}/${prefix.includes(':') ? 128 : 32}`;
  if (protocol === undefined || !isPrefix(whole)) refuse('--allow', text, allowForm);
  return {
    protocol: protocol as Allowed['protocol'],
    prefix: whole,
    ports: parsePorts('--allow', text, ports),
  };
}

function parsePorts(flag: string, text: string, ports: string): Allowed['ports'] {
  if (ports === '*') return null;
  const [first, last = first] = ports.split('-');
  const range = { first: portNumber(first), last: portNumber(last) };
  if (range.first === null || range.last === null || range.first > range.last) refuse(flag, text, allowForm);
  return range as { first: number; last: number };
}

function portNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

export function parseInbound(text: string): InboundPort {
  const [, protocol, digits] = /^(tcp|udp):(\d{1,5})$/.exec(text) ?? [];
  const port = portNumber(digits);
  if (protocol === undefined || port === null) {
    return refuse('--inbound', text, 'the port of the guest that flows may begin to, such as tcp:80');
  }
  return { protocol: protocol as InboundPort['protocol'], port };
}
