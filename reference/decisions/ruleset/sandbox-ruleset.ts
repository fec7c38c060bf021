/**
 * The rules of one sandbox: an ingress chain on its tap, and chains that the base chains dispatch to by the
 * tap's name.
 * Invariant: only positive accepts. A flow carries the mark of the policy that admitted it (`flowMark`), set
 * before routing; whatever passes later passes by that mark, so that a flow which a new policy has not
 * admitted passes nowhere, from the moment the policy stands.
 */
import {
  type AddressFamily,
  type GuestAddresses,
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { numberList } from './address-sets.ts';
import { flowMark } from './flow-mark.ts';
import { neighborAnswers, neighborRules } from './guest-ipv6.ts';
import {
  accept,
  anyOf,
  type Command,
  concat,
  ct,
  drop,
  goTo,
  inSet,
  type Json,
  jump,
  match,
  meta,
  payload,
  prefix,
  raw,
  type Statement,
  setMark,
} from './nft-json.ts';
import { add, dispatchOf, guestsOf, listOf } from './pod-ruleset.ts';
import { cidrElements } from './policy-elements.ts';

export const chainsOf = (tap: string) =>
  ['source', 'policy', 'input', 'leave', 'arrive', 'answer', 'inbound'].map((name) => `${tap}/${name}`);
export const cidrSetOf = (tap: string, family: AddressFamily) => `${tap}/cidrs-${family}`;
export const ingressChainOf = (tap: string) => `${tap}/ingress`;

/** ICMP errors about a flow: what path MTU discovery and a closed port need (RFC 792, RFC 4443). */
const errorTypes = {
  ipv4: { protocol: 'icmp', types: ['destination-unreachable', 'time-exceeded', 'parameter-problem'] },
  ipv6: {
    protocol: 'icmpv6',
    types: ['destination-unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem'],
  },
} as const;

const headerOf = { ipv4: 'ip', ipv6: 'ip6' } as const;
const destination = (family: AddressFamily) => payload(headerOf[family], 'daddr');
const source = (family: AddressFamily) => payload(headerOf[family], 'saddr');
const place = (family: AddressFamily): Json =>
  concat(destination(family), meta('l4proto'), payload('th', 'dport'));

/** Families that are on, with the guest's addresses. */
export function familiesOf(network: SandboxNetwork): [AddressFamily, GuestAddresses][] {
  return network.ipv6 === null
    ? [['ipv4', network.ipv4]]
    : [
        ['ipv4', network.ipv4],
        ['ipv6', network.ipv6],
      ];
}

/** Everything of one sandbox, to be done in one transaction before its tap comes up. */
export function sandboxCommands(pod: PodNetwork, network: SandboxNetwork, policy: SandboxPolicy): Command[] {
  const { tap } = network;
  const commands: Command[] = [];
  for (const [family] of familiesOf(network)) {
    const type = [`${family}_addr`, 'inet_proto', 'inet_service'];
    commands.push(add.set(pinSetOf(tap, family), type, { flags: ['timeout'], size: pod.maxPins }));
    commands.push(add.set(cidrSetOf(tap, family), type, { flags: ['interval'] }));
  }
  for (const chain of chainsOf(tap)) commands.push(add.chain(chain));
  commands.push(...policyCommands(pod, network, policy), ...ingressCommands(network));
  return [...commands, ...dispatchCommands(pod, network)];
}

/** What depends on the policy: a change flushes these chains and sets, and fills them again. */
export function policyCommands(pod: PodNetwork, network: SandboxNetwork, policy: SandboxPolicy): Command[] {
  const { tap } = network;
  const mark = flowMark(pod, network, policy);
  const commands: Command[] = [];
  for (const [family] of familiesOf(network)) {
    const elements = cidrElements(policy.allow, family);
    if (elements.length > 0) commands.push(add.elements(cidrSetOf(tap, family), elements));
  }
  return [
    ...commands,
    ...sourceRules(network),
    ...leavingRules(pod, network, policy, mark),
    ...inputRules(network, mark),
    ...arrivingRules(network, policy, mark),
  ];
}

/** Before routing can answer anything: the guest’s own address, to a unicast destination. */
function sourceRules(network: SandboxNetwork): Command[] {
  const chain = `${network.tap}/source`;
  return [
    ...familiesOf(network).map(([family, { guest }]) =>
      add.rule(
        chain,
        'the guest’s own address, to a unicast destination',
        match(source(family), guest),
        match(destination(family), inSet(listOf('unicast', family))),
        accept,
      ),
    ),
    ...(network.ipv6 === null ? [] : neighborRules(chain, network, network.ipv6)),
    add.rule(chain, 'any other source', drop),
  ];
}

/** What the guest may begin and continue, decided before routing. */
function leavingRules(
  pod: PodNetwork,
  network: SandboxNetwork,
  policy: SandboxPolicy,
  mark: number,
): Command[] {
  const { tap } = network;
  const chain = `${tap}/policy`;
  const rules: Command[] = [
    ...(network.ipv6 === null ? [] : neighborRules(chain, network, network.ipv6)),
    add.rule(chain, 'no flow', match(ct('state'), 'invalid', 'in'), drop),
    add.rule(
      chain,
      'a flow that this policy admitted',
      match(ct('state'), 'established', 'in'),
      match(ct('mark'), mark),
      accept,
    ),
    // Picking up a flow in the middle would make it established without a first packet.
    add.rule(
      chain,
      'a TCP flow begins with SYN',
      match(ct('state'), 'new', 'in'),
      match({ '&': [payload('tcp', 'flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn', '!='),
      drop,
    ),
  ];
  for (const [family, { resolver }] of familiesOf(network)) {
    rules.push(
      add.rule(
        chain,
        'the resolver',
        match(destination(family), resolver),
        ...toPort53,
        setMark(mark),
        accept,
      ),
    );
  }
  rules.push(
    add.rule(
      chain,
      'any other local address',
      match({ fib: { result: 'type', flags: 'daddr' } }, 'unicast', '!='),
      drop,
    ),
  );
  for (const [family] of familiesOf(network)) rules.push(...destinationRules(pod, tap, family, mark));
  if (policy.egress === 'allow') rules.push(...everythingElse(network, mark));
  return [...rules, add.rule(chain, 'default egress is deny', drop)];
}
/** By destination: never, an explicit CIDR, private, a pin. */
function destinationRules(pod: PodNetwork, tap: string, family: AddressFamily, mark: number): Command[] {
  const chain = `${tap}/policy`;
  const to = destination(family);
  return [
    add.rule(chain, 'never', match(to, inSet(listOf('never', family))), drop),
    ...(family === 'ipv6' ? embeddedDenials(chain, pod) : []),
    add.rule(
      chain,
      'an allowed CIDR',
      match(place(family), inSet(cidrSetOf(tap, family))),
      setMark(mark),
      accept,
    ),
    add.rule(chain, 'private', match(to, inSet(listOf('unpinnable', family))), drop),
    ...(family === 'ipv6' ? [isatapDenial(chain, pod, 'unpinnable')] : []),
    add.rule(
      chain,
      'a pinned address',
      match(place(family), inSet(pinSetOf(tap, family))),
      setMark(mark),
      accept,
    ),
  ];
}

/** Egress is allow: TCP, UDP and echo to whatever no list denies. */
function everythingElse(network: SandboxNetwork, mark: number): Command[] {
  const chain = `${network.tap}/policy`;
  return [
    add.rule(chain, 'everything else', match(meta('l4proto'), anyOf('tcp', 'udp')), setMark(mark), accept),
    ...familiesOf(network).map(([family]) =>
      add.rule(
        chain,
        'echo',
        match(payload(errorTypes[family].protocol, 'type'), 'echo-request'),
        setMark(mark),
        accept,
      ),
    ),
  ];
}

/** First bit of the destination in the IPv6 header. */
const destinationAt = 24 * 8;
const destinationBits = (first: number, length: number) => raw('nh', destinationAt + first, length);

/** What no interval says: bits 64 to 71 under a NAT64 prefix (RFC 6052 section 2.2), and ISATAP (RFC 5214). */
function embeddedDenials(chain: string, pod: PodNetwork): Command[] {
  const split = pod.nat64Prefixes.map((text) => text.split('/')).filter(([, length]) => Number(length) < 96);
  return [
    ...split.map(([addr = '', len = '']) =>
      add.rule(
        chain,
        'nat64-u-octet',
        match(destination('ipv6'), prefix(addr, Number(len))),
        match(destinationBits(64, 8), 0, '!='),
        drop,
      ),
    ),
    isatapDenial(chain, pod, 'never'),
  ];
}

/** Interface identifier 0000:5efe or 0200:5efe, and then an IPv4 of the list. */
function isatapDenial(chain: string, pod: PodNetwork, list: 'never' | 'unpinnable'): Command {
  return add.rule(
    chain,
    `${list}, inside ISATAP`,
    match(meta('nfproto'), 'ipv6'),
    match({ '&': [destinationBits(64, 32), 0xfdffffff] }, 0x00005efe),
    match(destinationBits(96, 32), numberList(list, pod)),
    drop,
  );
}

const toPort53 = [
  match(meta('l4proto'), anyOf('tcp', 'udp')),
  match(payload('th', 'dport'), 53),
] as const satisfies Statement[];

/** To the pod: the resolver on port 53 and nothing else. */
function inputRules(network: SandboxNetwork, mark: number): Command[] {
  const chain = `${network.tap}/input`;
  return [
    ...(network.ipv6 === null ? [] : neighborRules(chain, network, network.ipv6)),
    ...familiesOf(network).map(([family, { resolver }]) =>
      add.rule(
        chain,
        'the resolver on port 53',
        match(destination(family), resolver),
        ...toPort53,
        match(ct('mark'), mark),
        accept,
      ),
    ),
    add.rule(chain, 'any other listener of the pod', drop),
  ];
}

/** From the tap to the uplink, from the uplink to the tap, from the pod to the tap. */
function arrivingRules(network: SandboxNetwork, policy: SandboxPolicy, mark: number): Command[] {
  const { tap } = network;
  const [leave, arrive, answer] = [`${tap}/leave`, `${tap}/arrive`, `${tap}/answer`] as const;
  const reply = (chain: string) =>
    add.rule(
      chain,
      'a reply to an admitted flow',
      match(ct('state'), 'established', 'in'),
      match(ct('direction'), 'reply'),
      match(ct('mark'), mark),
      accept,
    );
  const errors = (chain: string) =>
    familiesOf(network).map(([family]) =>
      add.rule(
        chain,
        'an ICMP error about an admitted flow',
        match(ct('state'), 'related', 'in'),
        match(ct('mark'), mark),
        match(payload(errorTypes[family].protocol, 'type'), anyOf(...errorTypes[family].types)),
        accept,
      ),
    );
  return [
    add.rule(leave, 'an admitted flow', match(ct('mark'), mark), accept),
    add.rule(leave, 'any other', drop),
    reply(arrive),
    ...errors(arrive),
    ...policy.inbound.flatMap((port) => inboundRules(network, port, mark)),
    add.rule(arrive, 'any other', drop),
    reply(answer),
    ...errors(answer),
    ...(network.ipv6 === null ? [] : neighborAnswers(answer, network.ipv6)),
    add.rule(answer, 'any other', drop),
  ];
}

function inboundRules(
  { tap, ipv4 }: SandboxNetwork,
  { protocol, podPort, guestPort, from }: SandboxPolicy['inbound'][number],
  mark: number,
): Command[] {
  const [addr = '', len = '32'] = from.split('/');
  const sender = match(payload('ip', 'saddr'), { prefix: { addr, len: Number(len) } });
  return [
    add.rule(`${tap}/inbound`, 'an inbound port', match(payload(protocol, 'dport'), podPort), sender, {
      dnat: { family: 'ip', addr: ipv4.guest, port: guestPort },
    }),
    add.rule(
      `${tap}/arrive`,
      'an inbound port',
      match(ct('status'), 'dnat', 'in'),
      match(ct('direction'), 'original'),
      match(payload('ip', 'daddr'), ipv4.guest),
      match(payload(protocol, 'dport'), guestPort),
      sender,
      setMark(mark),
      accept,
    ),
  ];
}

/** On the tap itself, before anything else sees a frame: untagged, of the guest’s MAC and address. */
function ingressCommands(network: SandboxNetwork): Command[] {
  const { tap, guestMac, tapMac, ipv4, ipv6 } = network;
  const chain = ingressChainOf(tap);
  // Octets 12 and 13 of the frame as it came: a VLAN tag that was taken off counts as standing there.
  const etherType = (value: Json) => match(payload('ether', 'type'), value);
  const binds = [...new Set([ipv4.gateway, ipv4.resolver])];
  return [
    add.netdevChain(chain, { type: 'filter', hook: 'ingress', dev: tap, prio: -500, policy: 'drop' }),
    add.netdevRule(
      chain,
      'untagged IPv4 without options from the guest',
      match(payload('ether', 'saddr'), guestMac),
      match(payload('ether', 'daddr'), tapMac),
      etherType('ip'),
      match(raw('nh', 0, 8), 0x45),
      match(payload('ip', 'saddr'), ipv4.guest),
      accept,
    ),
    add.netdevRule(
      chain,
      'ARP that binds the guest’s pair, for gateway or resolver',
      match(payload('ether', 'saddr'), guestMac),
      etherType('arp'),
      match(payload('arp', 'htype'), 1),
      match(payload('arp', 'ptype'), 'ip'),
      match(payload('arp', 'hlen'), 6),
      match(payload('arp', 'plen'), 4),
      match(payload('arp', 'operation'), anyOf('request', 'reply')),
      match(payload('arp', 'saddr ether'), guestMac),
      match(payload('arp', 'saddr ip'), ipv4.guest),
      match(payload('arp', 'daddr ip'), anyOf(...binds)),
      accept,
    ),
    ...(ipv6 === null ? [] : ingressIpv6(chain, network, ipv6)),
  ];
}

function ingressIpv6(chain: string, network: SandboxNetwork, ipv6: GuestAddresses): Command[] {
  const { guestMac, tapMac } = network;
  const own = [match(payload('ether', 'saddr'), guestMac), match(payload('ether', 'type'), 'ip6')];
  return [
    add.netdevRule(
      chain,
      'untagged IPv6 from the guest, without extension headers but the fragment header',
      ...own,
      match(payload('ether', 'daddr'), tapMac),
      match(payload('ip6', 'saddr'), ipv6.guest),
      match(payload('ip6', 'nexthdr'), anyOf('tcp', 'udp', 'ipv6-icmp', 44)),
      accept,
    ),
    ...neighborRules(chain, network, ipv6, own),
  ];
}

/** The tap’s name in every dispatch map: from here on its packets are looked at. */
export function dispatchElements(pod: PodNetwork, { tap, ...network }: SandboxNetwork) {
  const { uplink } = pod;
  return [
    [dispatchOf('prerouting-raw'), [tap, goTo(`${tap}/source`)]],
    [dispatchOf('prerouting-policy'), [tap, goTo(`${tap}/policy`)]],
    [dispatchOf('input'), [tap, goTo(`${tap}/input`)]],
    [dispatchOf('output'), [tap, goTo(`${tap}/answer`)]],
    [dispatchOf('postrouting-guard'), [tap, accept]],
    [dispatchOf('forward'), [concat(tap, uplink), goTo(`${tap}/leave`)]],
    [dispatchOf('forward'), [concat(uplink, tap), goTo(`${tap}/arrive`)]],
    [guestsOf('ipv4'), network.ipv4.guest],
    ...(network.ipv6 === null ? [] : [[guestsOf('ipv6'), network.ipv6.guest]]),
  ] as [string, Json][];
}

function dispatchCommands(pod: PodNetwork, network: SandboxNetwork): Command[] {
  return dispatchElements(pod, network).map(([map, element]) => add.elements(map, [element]));
}

export function inboundElements({ tap }: SandboxNetwork, { inbound }: SandboxPolicy): [string, Json][] {
  return inbound.map(({ protocol, podPort }) => [
    dispatchOf('inbound'),
    [concat(protocol, podPort), jump(`${tap}/inbound`)] as Json,
  ]);
}
