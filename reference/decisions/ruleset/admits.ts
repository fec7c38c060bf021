/**
 * admits: would the rules of a policy let the first packet of this flow pass? What decides which flows outlive
 * a change of policy.
 * Invariant: the same verdict as the kernel under `openPod` and `openSandbox`, rule by rule in their order. How
 * many flows a sandbox has already is no part of it: that bounds what begins, not what lives on.
 */
import type {
  AddressFamily,
  GuestAddresses,
  PodNetwork,
  SandboxNetwork,
  SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { formatAddress, parseAddress, parsePrefix } from '../pin-address/ip-address.ts';
import { compileAddressPolicy } from '../pin-address/pin-address.ts';
import { type Interval, intervalOf, intervalsOf } from './address-sets.ts';
import { parseCidrEntry } from './policy-elements.ts';

/** The two tuples of a flow, in words: where it began, and who answers it after translation. */
export interface Flow {
  readonly source: string;
  readonly destination: string;
  /** As the IP header has it. */
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number | null;
  readonly answeredBy: string;
  readonly answeredFrom: number;
}

export interface Place {
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface FlowVerdict {
  readonly admitted: boolean;
  readonly rule: string;
}

const portProtocols: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };
/** Of echo requests: ICMP, ICMPv6. */
const echo = { ipv4: { protocol: 1, type: 8 }, ipv6: { protocol: 58, type: 128 } } as const;
const dnsPort = 53;

const admitted = (rule: string): FlowVerdict => ({ admitted: true, rule });
const refused = (rule: string): FlowVerdict => ({ admitted: false, rule });

const numberOf = (bytes: Uint8Array) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const lengthOf = (bytes: Uint8Array) => (bytes.length === 4 ? 4 : 16);
const isIn = (value: bigint, intervals: readonly Interval[]) =>
  intervals.some(({ first, last }) => first <= value && value <= last);

/**
 * Compiled once for a policy; total: what is no flow of this sandbox is refused. Which addresses are the pod's
 * own is not known here: a flow to one, but for the resolver, never began.
 */
export function compileAdmits(
  pod: PodNetwork,
  network: SandboxNetwork,
  policy: SandboxPolicy,
): (flow: Flow, isPinned: (place: Place) => boolean) => FlowVerdict {
  const unicast = { ipv4: intervalsOf('unicast', 'ipv4', pod), ipv6: intervalsOf('unicast', 'ipv6', pod) };
  const neverPolicy = compileAddressPolicy({ ...pod, pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] });
  const pinPolicy = compileAddressPolicy(pod);
  const cidrs = policy.allow.map(parseCidrEntry).filter((entry) => entry !== null);
  const inbound = policy.inbound.map((port) => ({
    ...port,
    senders: [intervalOf(parsePrefix(port.from, 'inbound'))],
  }));

  const leaving = (
    flow: Flow,
    bytes: Uint8Array,
    family: AddressFamily,
    { gateway, resolver }: GuestAddresses,
    isPinned: (place: Place) => boolean,
  ) => {
    const address = formatAddress(bytes);
    const value = numberOf(bytes);
    const protocol = portProtocols[flow.protocol];
    if (!isIn(value, unicast[family])) return refused('not to a unicast destination');
    if (address === resolver) {
      const isDns = protocol !== undefined && flow.destinationPort === dnsPort;
      return isDns ? admitted('the resolver') : refused('any other local address');
    }
    if (address === gateway) return refused('any other local address');
    // The kernel calls no mapped address unicast (__ipv6_addr_type); no address of IPv4 is as large.
    if (value >> 32n === 0xffffn) return refused('any other local address');
    if (!neverPolicy.decide(bytes, 0, lengthOf(bytes)).pin) return refused('never');
    const isAllowed = cidrs.some(
      (entry) =>
        entry.family === family &&
        entry.protocol === protocol &&
        entry.port === flow.destinationPort &&
        isIn(value, [entry.interval]),
    );
    if (isAllowed) return admitted('an allowed CIDR');
    if (!pinPolicy.decide(bytes, 0, lengthOf(bytes)).pin) return refused('private');
    if (protocol !== undefined && isPinned({ address, protocol, port: flow.destinationPort }))
      return admitted('a pinned address');
    if (policy.egress === 'deny') return refused('default egress is deny');
    if (protocol !== undefined) return admitted('everything else');
    const isEcho = flow.protocol === echo[family].protocol && flow.icmpType === echo[family].type;
    return isEcho ? admitted('echo') : refused('default egress is deny');
  };

  const arriving = (flow: Flow) => {
    const source = parseAddress(flow.source);
    if (source?.length !== 4) return refused('any other');
    const port = inbound.find(
      ({ protocol, podPort, guestPort, senders }) =>
        portProtocols[flow.protocol] === protocol &&
        flow.destinationPort === podPort &&
        flow.answeredFrom === guestPort &&
        isIn(numberOf(source), senders),
    );
    return port === undefined ? refused('any other') : admitted('an inbound port');
  };

  return (flow, isPinned) => {
    if (flow.answeredBy === network.ipv4.guest) return arriving(flow);
    const bytes = parseAddress(flow.destination);
    if (bytes === null) return refused('no address');
    const family = bytes.length === 4 ? 'ipv4' : 'ipv6';
    const addresses = family === 'ipv4' ? network.ipv4 : network.ipv6;
    if (flow.source !== addresses?.guest) return refused('any other source');
    return leaving(flow, bytes, family, addresses, isPinned);
  };
}
