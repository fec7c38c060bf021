/**
 * ruleset: policy and topology → one nft transaction for the pod, a sandbox, a change of policy, an end.
 * Invariant: each transaction is done whole or not at all, and every state in between satisfies invariants 1
 * to 7 of findings.md F4: a sandbox's rules stand before its tap is up, and go after it is gone.
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
  inboundElements,
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
  checkPolicy(pod, after);
  const { tap } = network;
  return {
    nftables: [
      ...deleted(inboundElements(network, before)),
      ...chainsOf(tap).map((chain): Command => ({ flush: { chain: { ...inet, name: chain } } })),
      ...familiesOf(network).map(
        ([family]): Command => ({ flush: { set: { ...inet, name: cidrSetOf(tap, family) } } }),
      ),
      ...policyCommands(pod, network, after),
      ...added(inboundElements(network, after)),
    ],
  };
}

/** What stands of a sandbox, to be removed; `policy` is the one that stands. The tap is gone, or goes with it. */
export function closeSandbox(
  pod: PodNetwork,
  network: SandboxNetwork,
  policy: SandboxPolicy,
  { tapIsThere }: { readonly tapIsThere: boolean },
): Transaction {
  const { tap } = network;
  const ingress = { family: 'netdev', table: netdevTable, name: ingressChainOf(tap) };
  const chains = chainsOf(tap).map((name) => ({ ...inet, name }));
  return {
    nftables: [
      ...deleted([...inboundElements(network, policy), ...dispatchElements(pod, network)]),
      ...chains.map((chain): Command => ({ flush: { chain } })),
      ...chains.map((chain): Command => ({ delete: { chain } })),
      ...familiesOf(network).flatMap(([family]): Command[] => [
        { delete: { set: { ...inet, name: pinSetOf(tap, family) } } },
        { delete: { set: { ...inet, name: cidrSetOf(tap, family) } } },
      ]),
      // A chain at a device goes with the device.
      ...(tapIsThere ? [{ flush: { chain: ingress } }, { delete: { chain: ingress } }] : []),
    ],
  };
}

const added = (elements: readonly [string, Json][]): Command[] =>
  elements.map(([name, elem]) => ({ add: { element: { ...inet, name, elem: [elem] } } }));
const deleted = (elements: readonly [string, Json][]): Command[] =>
  elements.map(([name, elem]) => ({ delete: { element: { ...inet, name, elem: [elem] } } }));
