/**
 * ruleset: policy and topology → one nft transaction for the pod, a sandbox, a change of policy, an end.
 * Invariant: each transaction is done whole or not at all, and every state in between satisfies invariants 1
 * to 7 of findings.md F4: a sandbox's rules stand before its tap is up; at its end what names the tap goes first,
 * which leaves it nothing, and the rest when the tap is gone.
 */
import {
  inetTable,
  netdevTable,
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import { checkNetwork, checkPod, checkPolicy } from './check-network.ts';
import type { Command, Json, Transaction } from './nft-json.ts';
import { podCommands } from './pod-ruleset.ts';
import {
  chainsOf,
  dispatchElements,
  guestElements,
  inboundElements,
  policyChainsOf,
  policyCommands,
  sandboxCommands,
} from './sandbox-ruleset.ts';
import { cidrSetOf, familiesOf, ingressChainOf } from './sandbox-words.ts';

const inet = { family: 'inet', table: inetTable } as const;

/** The pod's tables, chains and lists, in the place of whatever stands under their names. */
export function openPod(pod: PodNetwork): Transaction {
  checkPod(pod);
  const tables = [
    { family: 'inet', name: inetTable },
    { family: 'netdev', name: netdevTable },
  ];
  // A table can be deleted only when it is there, and is added first for that.
  const cleared = tables.flatMap((table): Command[] => [{ add: { table } }, { delete: { table } }]);
  return { nftables: [...cleared, ...podCommands(pod)] };
}

/** Both tables, and with them every rule of every sandbox. */
export function closePod(): Transaction {
  return {
    nftables: [
      { delete: { table: { family: 'inet', name: inetTable } } },
      { delete: { table: { family: 'netdev', name: netdevTable } } },
    ],
  };
}

/** A sandbox whose tap is there and down. */
export function openSandbox(pod: PodNetwork, network: SandboxNetwork, policy: SandboxPolicy): Transaction {
  checkNetwork(pod, network);
  checkPolicy(pod, policy);
  return {
    nftables: [...sandboxCommands(pod, network, policy), ...added(inboundElements(network, policy))],
  };
}

/** From policy `before` to `after`. Pins are the DNS proxy's: it removes those that `after` does not justify. */
export function changePolicy(
  pod: PodNetwork,
  network: SandboxNetwork,
  before: SandboxPolicy,
  after: SandboxPolicy,
): Transaction {
  checkNetwork(pod, network);
  checkPolicy(pod, after);
  const { tap } = network;
  return {
    nftables: [
      ...deleted(inboundElements(network, before)),
      ...policyChainsOf(tap).map((chain): Command => ({ flush: { chain: { ...inet, name: chain } } })),
      ...familiesOf(network).map(
        ([family]): Command => ({ flush: { set: { ...inet, name: cidrSetOf(tap, family) } } }),
      ),
      ...policyCommands(pod, network, after),
      ...added(inboundElements(network, after)),
    ],
  };
}

const ingressOf = (tap: string) => ({ family: 'netdev', table: netdevTable, name: ingressChainOf(tap) });

/**
 * From now on the tap is an interface that no rule names: nothing passes it, in either direction. What is left
 * of the sandbox admits nothing. `policy` is the one that stands.
 */
export function cutSandbox(
  pod: PodNetwork,
  network: SandboxNetwork,
  policy: SandboxPolicy,
  { isChainThere = true } = {},
): Transaction {
  return {
    nftables: [
      ...deleted([...dispatchElements(pod, network), ...inboundElements(network, policy)]),
      ...(isChainThere ? [{ flush: { chain: ingressOf(network.tap) } }] : []),
    ],
  };
}

/** What is left of a sandbox that was cut, when its tap is gone. Until Linux 6.16 its ingress chain goes with it. */
export function closeSandbox(network: SandboxNetwork, { isChainThere = true } = {}): Transaction {
  const { tap } = network;
  const chains = chainsOf(tap).map((name) => ({ ...inet, name }));
  return {
    nftables: [
      ...deleted(guestElements(network)),
      ...chains.map((chain): Command => ({ flush: { chain } })),
      ...chains.map((chain): Command => ({ delete: { chain } })),
      ...familiesOf(network).flatMap(([family]): Command[] => [
        { delete: { set: { ...inet, name: pinSetOf(tap, family) } } },
        { delete: { set: { ...inet, name: cidrSetOf(tap, family) } } },
      ]),
      ...(isChainThere ? [{ delete: { chain: ingressOf(tap) } }] : []),
    ],
  };
}

const added = (elements: readonly [string, Json][]): Command[] =>
  elements.map(([name, elem]) => ({ add: { element: { ...inet, name, elem: [elem] } } }));
const deleted = (elements: readonly [string, Json][]): Command[] =>
  elements.map(([name, elem]) => ({ delete: { element: { ...inet, name, elem: [elem] } } }));
