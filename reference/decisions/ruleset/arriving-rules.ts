/**
 * What reaches the pod from a tap, and the guest from elsewhere: the resolver, replies, errors about admitted
 * flows, and ports that the policy opens.
 */
import type { SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { neighborAnswers, neighborRules } from './guest-ipv6.ts';
import { accept, type Command, ct, drop, inSet, match, payload, prefix, setMark } from './nft-json.ts';
import { add } from './pod-ruleset.ts';
import { destination, errorSetOf, errorTypes, familiesOf, toPort53 } from './sandbox-words.ts';

/** To the pod: the resolver on port 53 and nothing else. */
export function inputRules(network: SandboxNetwork, mark: number): Command[] {
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
export function arrivingRules(network: SandboxNetwork, policy: SandboxPolicy, mark: number): Command[] {
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
        match(payload(errorTypes[family].protocol, 'type'), inSet(errorSetOf(family))),
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
  // checkPolicy has read it as a prefix.
  const [addr, len] = from.split('/') as [string, string];
  const sender = match(payload('ip', 'saddr'), prefix(addr, Number(len)));
  return [
    add.rule(
      `${tap}/inbound`,
      'an inbound port',
      match(payload(protocol, 'dport'), podPort),
      // A neighbour may send what is for a guest, or for anybody, to the pod's MAC: no port of the pod's.
      match({ fib: { result: 'type', flags: 'daddr' } }, 'local'),
      sender,
      { dnat: { family: 'ip', addr: ipv4.guest, port: guestPort } },
    ),
    add.rule(
      `${tap}/arrive`,
      'an inbound port',
      match(ct('status'), 'dnat', 'in'),
      match(ct('direction'), 'original'),
      match(payload('ip', 'daddr'), ipv4.guest),
      match(payload(protocol, 'dport'), guestPort),
      match({ ct: { key: 'proto-dst', dir: 'original' } }, podPort),
      sender,
      setMark(mark),
      accept,
    ),
  ];
}
