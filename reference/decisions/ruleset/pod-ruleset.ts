/**
 * What stands once in a pod, however many sandboxes it has: the tables, one base chain per hook that only
 * dispatches by interface, and the address lists that DNS pins are judged by too.
 * Invariant: every base chain that can let something pass has policy drop; an interface that is not named
 * gets nothing; the pod's own traffic over loopback and uplink is left alone.
 */
import { type AddressFamily, inetTable, netdevTable, type PodNetwork } from '#reference/contract/datapath.ts';
import { type AddressList, addressList } from './address-sets.ts';
import { embeddedDenials } from './embedded-denials.ts';
import {
  accept,
  type Command,
  concat,
  ct,
  drop,
  goTo,
  inSet,
  type Json,
  match,
  meta,
  payload,
  range,
  type Statement,
  vmap,
} from './nft-json.ts';
import { errorSetOf, errorTypes, portProtocols } from './sandbox-words.ts';

const inet = { family: 'inet', table: inetTable } as const;
const netdev = { family: 'netdev', table: netdevTable } as const;

export const add = {
  table: (family: string, name: string): Command => ({ add: { table: { family, name } } }),
  chain: (name: string, more: { readonly [key: string]: Json } = {}): Command => ({
    add: { chain: { ...inet, name, ...more } },
  }),
  rule: (chain: string, why: string, ...expr: Statement[]): Command => ({
    add: { rule: { ...inet, chain, expr, comment: why } },
  }),
  set: (name: string, type: Json, more: { readonly [key: string]: Json } = {}): Command => ({
    add: { set: { ...inet, name, type, ...more } },
  }),
  map: (name: string, type: Json): Command => ({
    add: { map: { ...inet, name, type, map: 'verdict', size: maxSandboxes * 2 } },
  }),
  elements: (name: string, elem: readonly Json[]): Command => ({ add: { element: { ...inet, name, elem } } }),
  netdevRule: (chain: string, why: string, ...expr: Statement[]): Command => ({
    add: { rule: { ...netdev, chain, expr, comment: why } },
  }),
};

/** Refused when it is there already: what a killed run left would be added to. */
export const create = {
  chain: (name: string): Command => ({ create: { chain: { ...inet, name } } }),
  set: (name: string, type: Json, more: { readonly [key: string]: Json }): Command => ({
    create: { set: { ...inet, name, type, ...more } },
  }),
  netdevChain: (name: string, more: { readonly [key: string]: Json }): Command => ({
    create: { chain: { ...netdev, name, ...more } },
  }),
};

/** Sandboxes behind one uplink: bounds every map. */
export const maxSandboxes = 4_096;

/** Every hook with its place in the order; the NAT hooks accept, since they judge nothing. */
const hooks = [
  { name: 'prerouting-raw', hook: 'prerouting', prio: -300, policy: 'drop', key: meta('iifname') },
  { name: 'prerouting-policy', hook: 'prerouting', prio: -150, policy: 'drop', key: meta('iifname') },
  { name: 'input', hook: 'input', prio: 0, policy: 'drop', key: meta('iifname') },
  { name: 'output', hook: 'output', prio: 0, policy: 'drop', key: meta('oifname') },
  { name: 'postrouting-guard', hook: 'postrouting', prio: 300, policy: 'drop', key: meta('oifname') },
] as const;

export type HookName = (typeof hooks)[number]['name'];

export const dispatchOf = (hook: HookName | 'forward' | 'inbound') => `dispatch/${hook}`;
export const families: readonly AddressFamily[] = ['ipv4', 'ipv6'];
export const guestsOf = (family: AddressFamily) => `guests-${family}`;
/** Sets of the netdev table. */
export const [arpOperations, nextHeaders] = ['arp-operations', 'next-headers'] as const;
export const denialChainOf = (list: 'never' | 'unpinnable') => `deny/${list}-ipv6`;
export const listOf = (list: AddressList, family: AddressFamily) => `${list}-${family}`;

/** Everything that one pod needs before its first sandbox. Idempotent: adding what is there changes nothing. */
export function podCommands(pod: PodNetwork): Command[] {
  const { uplink, masqueradePorts } = pod;
  const commands: Command[] = [add.table('inet', inetTable), add.table('netdev', netdevTable)];
  for (const family of families) {
    const type = `${family}_addr`;
    for (const list of ['never', 'unpinnable', 'unicast'] as const) {
      commands.push(add.set(listOf(list, family), type, { flags: ['interval'] }));
      commands.push(add.elements(listOf(list, family), addressList(list, family, pod)));
    }
    commands.push(add.set(guestsOf(family), type, { size: maxSandboxes }));
  }
  commands.push(...wordCommands(), ...denialCommands(pod));
  for (const { name, hook, prio, policy, key } of hooks) {
    commands.push(add.map(dispatchOf(name), 'ifname'));
    commands.push(add.chain(name, { type: 'filter', hook, prio, policy }));
    const guarded = name === 'postrouting-guard' ? goTo('uplink/guard') : accept;
    if (name === 'postrouting-guard') commands.push(...guardCommands());
    commands.push(
      add.elements(dispatchOf(name), [
        ['lo', accept],
        [uplink, guarded],
      ]),
    );
    commands.push(
      add.rule(name, 'by interface; one that is not named gets nothing', vmap(key, dispatchOf(name))),
    );
  }
  return [...commands, ...forwardCommands(), ...natCommands(uplink, masqueradePorts)];
}

/** Values that the rules of every sandbox look for. */
function wordCommands(): Command[] {
  const words: [name: string, type: string, elements: readonly Json[]][] = [
    [portProtocols, 'inet_proto', ['tcp', 'udp']],
    ...families.map((family): [string, string, readonly Json[]] => [
      errorSetOf(family),
      `${errorTypes[family].protocol}_type`,
      errorTypes[family].types,
    ]),
  ];
  const inNetdev: typeof words = [
    [arpOperations, 'arp_op', ['request', 'reply']],
    // 44: the fragment header (RFC 8200).
    [nextHeaders, 'inet_proto', ['tcp', 'udp', 'ipv6-icmp', 44]],
  ];
  return [
    ...words.flatMap(([name, type, elem]) => [
      add.set(name, type, { size: elem.length }),
      add.elements(name, elem),
    ]),
    ...inNetdev.flatMap(([name, type, elem]): Command[] => [
      { add: { set: { ...netdev, name, type, size: elem.length } } },
      { add: { element: { ...netdev, name, elem } } },
    ]),
  ];
}

/** IPv6 destinations of a list, and those that carry an IPv4 of it where no interval says so. */
function denialCommands(pod: PodNetwork): Command[] {
  return (['never', 'unpinnable'] as const).flatMap((list) => {
    const chain = denialChainOf(list);
    return [
      add.chain(chain),
      add.rule(chain, list, match(payload('ip6', 'daddr'), inSet(listOf(list, 'ipv6'))), drop),
      ...embeddedDenials(list, pod).map(({ why, statements }) => add.rule(chain, why, ...statements)),
    ];
  });
}

function forwardCommands(): Command[] {
  return [
    add.map(dispatchOf('forward'), ['ifname', 'ifname']),
    add.chain('forward', { type: 'filter', hook: 'forward', prio: 0, policy: 'drop' }),
    add.rule(
      'forward',
      'by both interfaces; tap never talks to tap',
      vmap(concat(meta('iifname'), meta('oifname')), dispatchOf('forward')),
    ),
  ];
}

/** After every translation: what leaves by the uplink never has a guest’s source. */
function guardCommands(): Command[] {
  return [
    add.chain('uplink/guard'),
    add.rule(
      'uplink/guard',
      'never with a guest source',
      match(payload('ip', 'saddr'), inSet(guestsOf('ipv4'))),
      drop,
    ),
    add.rule(
      'uplink/guard',
      'never with a guest source',
      match(payload('ip6', 'saddr'), inSet(guestsOf('ipv6'))),
      drop,
    ),
    add.rule('uplink/guard', 'translated, or the pod’s own', accept),
  ];
}

function natCommands(uplink: string, [first, last]: PodNetwork['masqueradePorts']): Command[] {
  return [
    add.map(dispatchOf('inbound'), ['inet_proto', 'inet_service']),
    add.chain('inbound-nat', { type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' }),
    add.rule(
      'inbound-nat',
      'explicit inbound ports only',
      match(meta('iifname'), uplink),
      vmap(concat(meta('l4proto'), payload('th', 'dport')), dispatchOf('inbound')),
    ),
    add.chain('source-nat', { type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' }),
    // Only flows of guests carry a mark; the pod’s own keep their ports.
    add.rule(
      'source-nat',
      'guests leave as the pod, from ports of their own',
      match(meta('oifname'), uplink),
      match(ct('mark'), 0, '!='),
      match(meta('l4proto'), { set: ['tcp', 'udp'] }),
      { masquerade: { port: range(first, last) } },
    ),
    add.rule(
      'source-nat',
      'guests leave as the pod',
      match(meta('oifname'), uplink),
      match(ct('mark'), 0, '!='),
      { masquerade: null },
    ),
  ];
}
