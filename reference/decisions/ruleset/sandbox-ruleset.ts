/**
 * The rules of one sandbox: an ingress chain on its tap, and chains that the base chains dispatch to by the
 * tap's name.
 * Invariant: only positive accepts. A flow carries the mark of the policy that admitted it (`flowMark`), set
 * before routing; whatever passes later passes by that mark, so that a flow which a new policy has not
 * admitted passes nowhere, from the moment the policy stands.
 */
import {
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { arrivingRules, inputRules } from './arriving-rules.ts';
import { flowMark } from './flow-mark.ts';
import { ingressCommands } from './ingress-rules.ts';
import { flowLimits, leavingRules, sourceRules } from './leaving-rules.ts';
import { accept, type Command, concat, goTo, type Json, jump } from './nft-json.ts';
import { add, create, dispatchOf, guestsOf } from './pod-ruleset.ts';
import { cidrElements, maxCidrEntries } from './policy-elements.ts';
import { cidrSetOf, familiesOf } from './sandbox-words.ts';

const policyChains = ['source', 'policy', 'input', 'leave', 'arrive', 'answer', 'inbound'] as const;

/** What a change of policy makes anew. */
export const policyChainsOf = (tap: string) => policyChains.map((name) => `${tap}/${name}`);
export const chainsOf = (tap: string) => [...policyChainsOf(tap), `${tap}/flows`];

/** Everything of one sandbox, to be done in one transaction before its tap comes up. */
export function sandboxCommands(pod: PodNetwork, network: SandboxNetwork, policy: SandboxPolicy): Command[] {
  const { tap } = network;
  const commands: Command[] = [];
  for (const [family] of familiesOf(network)) {
    const type = [`${family}_addr`, 'inet_proto', 'inet_service'];
    commands.push(create.set(pinSetOf(tap, family), type, { flags: ['timeout'], size: pod.maxPins }));
    commands.push(create.set(cidrSetOf(tap, family), type, { flags: ['interval'], size: maxCidrEntries }));
  }
  for (const chain of chainsOf(tap)) commands.push(create.chain(chain));
  commands.push(...flowLimits(pod, network));
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
    ...leavingRules(network, policy, mark),
    ...inputRules(network, mark),
    ...arrivingRules(network, policy, mark),
  ];
}

/** The tap’s name in every dispatch map: from here on its packets are looked at. */
export function dispatchElements(pod: PodNetwork, { tap }: SandboxNetwork) {
  const { uplink } = pod;
  return [
    [dispatchOf('prerouting-raw'), [tap, goTo(`${tap}/source`)]],
    [dispatchOf('prerouting-policy'), [tap, goTo(`${tap}/policy`)]],
    [dispatchOf('input'), [tap, goTo(`${tap}/input`)]],
    [dispatchOf('output'), [tap, goTo(`${tap}/answer`)]],
    [dispatchOf('postrouting-guard'), [tap, accept]],
    [dispatchOf('forward'), [concat(tap, uplink), goTo(`${tap}/leave`)]],
    [dispatchOf('forward'), [concat(uplink, tap), goTo(`${tap}/arrive`)]],
  ] as [string, Json][];
}

/** By these the next datapath knows whose flows a killed one left: they go last. */
export function guestElements(network: SandboxNetwork): [string, Json][] {
  return familiesOf(network).map(([family, { guest }]) => [guestsOf(family), guest]);
}

function dispatchCommands(pod: PodNetwork, network: SandboxNetwork): Command[] {
  const elements = [...guestElements(network), ...dispatchElements(pod, network)];
  return elements.map(([map, element]) => add.elements(map, [element]));
}

export function inboundElements({ tap }: SandboxNetwork, { inbound }: SandboxPolicy): [string, Json][] {
  const ports = new Map(inbound.map((port) => [`${port.protocol} ${port.podPort}`, port]));
  return [...ports.values()].map(({ protocol, podPort }) => [
    dispatchOf('inbound'),
    [concat(protocol, podPort), jump(`${tap}/inbound`)] as Json,
  ]);
}
