/**
 * Refuses the network of a pod or of a sandbox that no ruleset could hold to, naming the field, before
 * anything is done.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type {
  AddressFamily,
  GuestAddresses,
  InboundPort,
  PodNetwork,
  SandboxNetwork,
  SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { formatAddress, parseAddress, parsePrefix } from '../pin-address/ip-address.ts';
import { compileAddressPolicy } from '../pin-address/pin-address.ts';
import { intervalOf, intervalsOf } from './address-sets.ts';
import { maxCidrEntries, parseCidrEntry } from './policy-elements.ts';

/** Bounds of what an operator may write: the ruleset is loaded in one transaction. */
export const maxDenyCidrs = 1_024;
export const maxNat64Prefixes = 8;
export const maxInboundPorts = 64;
const maxPinsOfOne = 65_536;

/** Length of the subnet that guest and gateway share. */
export const subnetLengths = { ipv4: 30, ipv6: 64 } as const;

const tapName = /^[a-z][a-z0-9-]{0,14}$/;
/** What the kernel takes, without what nft(8) would read as a pattern. */
const uplinkName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
const taken = ['lo', 'all', 'default'];
const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

function refuse(field: string, what: string): CodedError {
  return new CodedError('bad-network', `${field}: ${what}`, 'mend the field that the message names');
}

/** @throws CodedError `bad-network`, `bad-prefix`, `bad-nat64-prefix` */
export function checkPod(pod: PodNetwork): void {
  const { uplink, masqueradePorts, maxPins, denyCIDRs, nat64Prefixes, pinPrivateCIDRs } = pod;
  if (!uplinkName.test(uplink) || taken.includes(uplink)) throw refuse('uplink', 'no name of an uplink');
  const [first, last] = masqueradePorts;
  if (!isPort(first) || !isPort(last) || first >= last) throw refuse('masqueradePorts', 'no range of ports');
  if (first < 1_024) throw refuse('masqueradePorts', 'begins among the well-known ports, below 1024');
  if (!Number.isInteger(maxPins) || maxPins < 1 || maxPins > maxPinsOfOne)
    throw refuse('maxPins', `not 1 to ${maxPinsOfOne}`);
  for (const [field, list, most] of [
    ['denyCIDRs', denyCIDRs, maxDenyCidrs],
    ['pinPrivateCIDRs', pinPrivateCIDRs, maxDenyCidrs],
    ['nat64Prefixes', nat64Prefixes, maxNat64Prefixes],
  ] as const) {
    if (list.length > most) throw refuse(field, `${list.length} entries, more than ${most}`);
  }
  compileAddressPolicy(pod);
}

/** @throws CodedError `bad-network` */
export function checkNetwork(pod: PodNetwork, network: SandboxNetwork): void {
  const { tap, tapMac, guestMac, ipv4, ipv6 } = network;
  if (!tapName.test(tap) || taken.includes(tap)) throw refuse('tap', 'no interface name of a-z, 0-9 and -');
  if (tap === pod.uplink) throw refuse('tap', 'the name of the uplink');
  checkMac('tapMac', tapMac);
  checkMac('guestMac', guestMac);
  if (guestMac === tapMac) throw refuse('guestMac', 'the MAC of the tap');
  checkAddresses('ipv4', ipv4, pod);
  if (ipv6 !== null) checkAddresses('ipv6', ipv6, pod);
}

/** @throws CodedError `bad-network`, `bad-allow-entry`, `bad-prefix` */
export function checkPolicy(pod: PodNetwork, policy: SandboxPolicy): void {
  const { allow, inbound } = policy;
  if (allow.length > maxCidrEntries)
    throw refuse('allow', `${allow.length} entries, more than ${maxCidrEntries}`);
  for (const entry of allow) parseCidrEntry(entry);
  if (inbound.length > maxInboundPorts)
    throw refuse('inbound', `${inbound.length} ports, more than ${maxInboundPorts}`);
  const seen = new Set<string>();
  for (const [index, port] of inbound.entries()) {
    checkInbound(`inbound[${index}]`, port, pod);
    const key = `${port.protocol} ${port.podPort} ${port.from}`;
    if (seen.has(key)) throw refuse(`inbound[${index}]`, `${key} stands twice`);
    seen.add(key);
  }
}

function checkInbound(field: string, port: InboundPort, { masqueradePorts }: PodNetwork): void {
  const { protocol, podPort, guestPort, from } = port;
  if (protocol !== 'tcp' && protocol !== 'udp') throw refuse(`${field}.protocol`, 'neither tcp nor udp');
  if (!isPort(podPort)) throw refuse(`${field}.podPort`, 'no port from 1 to 65535');
  if (!isPort(guestPort)) throw refuse(`${field}.guestPort`, 'no port from 1 to 65535');
  if (podPort >= masqueradePorts[0] && podPort <= masqueradePorts[1])
    throw refuse(`${field}.podPort`, 'among masqueradePorts, where replies to guests arrive');
  if (parsePrefix(from, `${field}.from`).bytes.length !== 4)
    throw refuse(`${field}.from`, 'no CIDR of IPv4: ports are opened for IPv4 only');
}

const isPort = (value: number) => Number.isInteger(value) && value >= 1 && value <= 65_535;

function checkMac(field: string, text: string): void {
  if (!mac.test(text)) throw refuse(field, 'no MAC address in lower case');
  // Read up to the first colon.
  if ((Number.parseInt(text, 16) & 1) === 1) throw refuse(field, 'a group address');
  if (text === '00:00:00:00:00:00') throw refuse(field, 'all zeros');
}

function checkAddresses(family: AddressFamily, addresses: GuestAddresses, pod: PodNetwork): void {
  const value = (part: keyof GuestAddresses) => addressOf(`${family}.${part}`, addresses[part], family, pod);
  const [guest, gateway, resolver] = [value('guest'), value('gateway'), value('resolver')];
  const hostBits = BigInt((family === 'ipv4' ? 32 : 128) - subnetLengths[family]);
  const subnet = guest >> hostBits;
  const where = `outside the guest's /${subnetLengths[family]}`;
  if (gateway >> hostBits !== subnet) throw refuse(`${family}.gateway`, where);
  if (gateway === guest) throw refuse(`${family}.gateway`, 'the address of the guest');
  if (resolver === guest) throw refuse(`${family}.resolver`, 'the address of the guest');
  const ones = (1n << hostBits) - 1n;
  const edges = family === 'ipv4' ? [0n, ones] : [0n];
  for (const [part, address] of [
    ['guest', guest],
    ['gateway', gateway],
    ['resolver', resolver],
  ] as const) {
    if (address >> hostBits === subnet && edges.includes(address & ones))
      throw refuse(`${family}.${part}`, 'the network or broadcast address of the subnet');
  }
}

function addressOf(field: string, text: string, family: AddressFamily, pod: PodNetwork): bigint {
  const bytes = parseAddress(text);
  if (bytes === null || bytes.length !== (family === 'ipv4' ? 4 : 16)) throw refuse(field, 'no address');
  if (formatAddress(bytes) !== text)
    throw refuse(field, `not in its canonical text, ${formatAddress(bytes)}`);
  const { first } = intervalOf({ bytes, length: bytes.length * 8, text });
  const isUnicast = intervalsOf('unicast', family, pod).some(
    (interval) => interval.first <= first && first <= interval.last,
  );
  // Of IPv6: no address of IPv4 is as large.
  const isLinkLocal = first >> 118n === 0x3fan;
  const isMapped = first >> 32n === 0xffffn;
  if (!isUnicast || isLinkLocal || isMapped) throw refuse(field, 'no unicast address of its own');
  return first;
}
