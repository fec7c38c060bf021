/**
 * What a guest may send past its tap, decided before routing: its own address, and what policy and pins admit.
 * Invariant: every accept of a flow's first packet sets the mark of the policy; nothing else does.
 */
import {
  type AddressFamily,
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { neighborRules } from './guest-ipv6.ts';
import {
  accept,
  type Command,
  ct,
  drop,
  flowsOver,
  inSet,
  jump,
  match,
  meta,
  payload,
  rateOver,
  setMark,
} from './nft-json.ts';
import { add, denialChainOf, listOf } from './pod-ruleset.ts';
import {
  cidrSetOf,
  destination,
  errorTypes,
  familiesOf,
  place,
  portProtocols,
  source,
  toPort53,
} from './sandbox-words.ts';

/** What the destination is to the pod’s own routing. */
const addressType = { fib: { result: 'type', flags: 'daddr' } };

/** Before routing can answer anything: the guest’s own address, to a unicast destination. */
export function sourceRules(network: SandboxNetwork): Command[] {
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

/** Of one sandbox at a time: three quarters of the ports that its siblings need too. */
const maxFlows = ({ masqueradePorts: [first, last] }: PodNetwork) => Math.floor(((last - first + 1) * 3) / 4);

/** Each question may be a flow, which lives half a minute in the table that the probes of the pod need too. */
const resolverFlows = { perSecond: 1_000, burst: 4_000, tcp: 256 } as const;

/**
 * How many flows a guest may begin. Siblings share the masquerade ports: one that took them all would close their
 * way to the same host. All of the pod share the table of flows. The kernel keeps a count with its rule, so no
 * change of policy may make these anew.
 */
export function flowLimits(pod: PodNetwork, network: SandboxNetwork): Command[] {
  const chain = `${network.tap}/flows`;
  return familiesOf(network).flatMap(([family, { resolver }]) => [
    add.rule(
      chain,
      'too many questions at once',
      match(destination(family), resolver),
      rateOver(resolverFlows.perSecond, resolverFlows.burst),
      drop,
    ),
    add.rule(
      chain,
      'too many connections to the resolver',
      match(destination(family), resolver),
      match(meta('l4proto'), 'tcp'),
      flowsOver(resolverFlows.tcp),
      drop,
    ),
    add.rule(
      chain,
      'too many flows of one sandbox',
      match(destination(family), resolver, '!='),
      flowsOver(maxFlows(pod)),
      drop,
    ),
  ]);
}

/** What the guest may begin and continue, decided before routing. */
export function leavingRules(network: SandboxNetwork, policy: SandboxPolicy, mark: number): Command[] {
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
    add.rule(chain, 'how many begin', match(ct('state'), 'new', 'in'), jump(`${tap}/flows`)),
  ];
  for (const [family, { resolver }] of familiesOf(network)) {
    rules.push(
      add.rule(
        chain,
        'the resolver',
        match(destination(family), resolver),
        // While the pod does not have the address yet, or any more, a query would leave by the uplink.
        match(addressType, 'local'),
        ...toPort53,
        setMark(mark),
        accept,
      ),
    );
  }
  rules.push(add.rule(chain, 'any other local address', match(addressType, 'unicast', '!='), drop));
  for (const [family] of familiesOf(network)) rules.push(...destinationRules(tap, family, mark));
  if (policy.egress === 'allow') rules.push(...everythingElse(network, mark));
  return [...rules, add.rule(chain, 'default egress is deny', drop)];
}
/** By destination: never, an explicit CIDR, private, a pin. */
function destinationRules(tap: string, family: AddressFamily, mark: number): Command[] {
  const chain = `${tap}/policy`;
  return [
    denied(chain, 'never', family),
    add.rule(
      chain,
      'an allowed CIDR',
      match(place(family), inSet(cidrSetOf(tap, family))),
      setMark(mark),
      accept,
    ),
    denied(chain, 'unpinnable', family),
    add.rule(
      chain,
      'a pinned address',
      match(place(family), inSet(pinSetOf(tap, family))),
      setMark(mark),
      accept,
    ),
  ];
}

/** What no interval of IPv6 says is said once for the pod, in a chain that is jumped to. */
function denied(chain: string, list: 'never' | 'unpinnable', family: AddressFamily): Command {
  const why = list === 'never' ? 'never' : 'private';
  if (family === 'ipv4')
    return add.rule(chain, why, match(destination(family), inSet(listOf(list, family))), drop);
  return add.rule(chain, why, match(meta('nfproto'), 'ipv6'), jump(denialChainOf(list)));
}

/** Egress is allow: TCP, UDP and echo to whatever no list denies. */
function everythingElse(network: SandboxNetwork, mark: number): Command[] {
  const chain = `${network.tap}/policy`;
  return [
    add.rule(chain, 'everything else', match(meta('l4proto'), inSet(portProtocols)), setMark(mark), accept),
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
