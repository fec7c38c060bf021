/**
 * The rules of the original's husk datapath, as findings.md F4 describes them. Of words that were not observed
 * (names, marks, whether established flows have a rule) the plainest is taken.
 */
import type { ConfigOf, InputOf, OutputOf } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';

export type Event = InputOf<typeof ruleset>['event'];
export type Step = OutputOf<typeof ruleset>['steps'][number];
export type Pod = ConfigOf<typeof ruleset>;
type Network = Extract<Event, { kind: 'open-sandbox' }>['network'];
type Policy = Extract<Event, { kind: 'open-sandbox' }>['policy'];
type Command = { readonly [verb: string]: unknown };

const at = { family: 'inet', table: 'husk' } as const;
const transaction = (...nftables: Command[]): Step => ({ kind: 'transaction', nftables });
const chain = (name: string, type: string, hook: string, prio: number): Command => ({
  add: { chain: { ...at, name, type, hook, prio, policy: 'accept' } },
});
const rule = (name: string, ...expr: unknown[]): Command => ({ add: { rule: { ...at, chain: name, expr } } });
const match = (left: unknown, right: unknown) => ({ match: { op: '==', left, right } });
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } });
const fromTap = (tap: string) => match({ meta: { key: 'iifname' } }, tap);
const accept = { accept: null };
const drop = { drop: null };
const place = (address: unknown) => ({
  concat: [address, { meta: { key: 'l4proto' } }, field('th', 'dport')],
});

const families = ['ipv4', 'ipv6'] as const;
export const setOf = (tap: string, family: 'ipv4' | 'ipv6') => `${tap}-allowed-${family}`;

/** Chains per tap: "filtering on the forward hook", and from the fix on "an input-hook chain per tap". */
export const chainsOf = (tap: string, filtersInput: boolean) => [
  `${tap}-forward`,
  `${tap}-masquerade`,
  ...(filtersInput ? [`${tap}-input`] : []),
];

/** "the same hole on the forward hook": every rule asks for the guest's own address, the metadata drop too. */
function forwardRules({ tap, ipv4: { guest } }: Network, { egress, allow }: Policy): Command[] {
  const own = [fromTap(tap), match(field('ip', 'saddr'), guest)];
  const name = `${tap}-forward`;
  const cidrs = allow.flatMap((entry) => {
    const [, scheme = 'tcp', addr = '', len = '32', port = ''] =
      /^(?:(tcp|udp):\/\/)?([\d.]+)(?:\/(\d+))?:(\d+)$/.exec(entry) ?? [];
    return port === '' ? [] : [{ scheme, addr, len: Number(len), port: Number(port) }];
  });
  return [
    rule(name, ...own, match(field('ip', 'daddr'), { prefix: { addr: '169.254.0.0', len: 16 } }), drop),
    rule(name, ...own, match(place(field('ip', 'daddr')), `@${setOf(tap, 'ipv4')}`), accept),
    ...cidrs.map(({ scheme, addr, len, port }) =>
      rule(
        name,
        ...own,
        match(field('ip', 'daddr'), { prefix: { addr, len } }),
        match(field(scheme, 'dport'), port),
        accept,
      ),
    ),
    ...(egress === 'allow' ? [rule(name, ...own, accept)] : []),
    rule(name, ...own, drop),
  ];
}

/** "accept guest → resolver udp/tcp 53, then `ip saddr <guest> drop`; policy accept" */
function inputRules({ tap, ipv4: { guest, resolver } }: Network): Command[] {
  const own = [fromTap(tap), match(field('ip', 'saddr'), guest)];
  return [
    ...['udp', 'tcp'].map((protocol) =>
      rule(
        `${tap}-input`,
        ...own,
        match(field('ip', 'daddr'), resolver),
        match(field(protocol, 'dport'), 53),
        accept,
      ),
    ),
    rule(`${tap}-input`, ...own, drop),
  ];
}

/** "rules are installed in several steps after the tap is up" */
function openSteps({ uplink }: Pod, network: Network, policy: Policy, filtersInput: boolean): Step[] {
  const { tap, ipv4 } = network;
  const sets = families.map((family) => ({
    add: {
      set: {
        ...at,
        name: setOf(tap, family),
        type: [`${family}_addr`, 'inet_proto', 'inet_service'],
        flags: ['timeout'],
      },
    },
  }));
  return [
    { kind: 'tap-up' },
    transaction(...sets, chain(`${tap}-forward`, 'filter', 'forward', 0)),
    transaction(...forwardRules(network, policy)),
    transaction(
      chain(`${tap}-masquerade`, 'nat', 'postrouting', 100),
      rule(
        `${tap}-masquerade`,
        match(field('ip', 'saddr'), ipv4.guest),
        match({ meta: { key: 'oifname' } }, uplink),
        { masquerade: null },
      ),
    ),
    ...(filtersInput
      ? [transaction(chain(`${tap}-input`, 'filter', 'input', 0), ...inputRules(network))]
      : []),
  ];
}

export function huskSteps(pod: Pod, event: Event, filtersInput: boolean): Step[] {
  switch (event.kind) {
    case 'open-pod':
      return [transaction({ add: { table: { family: at.family, name: at.table } } })];
    case 'open-sandbox':
      return openSteps(pod, event.network, event.policy, filtersInput);
    case 'change-policy':
      // "re-applying a narrower policy leaves the wider accepts in front"
      return [transaction(...forwardRules(event.network, event.after))];
    case 'pin':
      return event.pins.map(({ address, protocol, port }) => {
        const name = setOf(event.network.tap, address.includes(':') ? 'ipv6' : 'ipv4');
        const val = { concat: [address, protocol, port] };
        return transaction({ add: { element: { ...at, name, elem: [{ elem: { val, timeout: 300 } }] } } });
      });
    case 'close-sandbox':
      // "deletion leaves sets behind"
      return [
        { kind: 'tap-gone' },
        ...chainsOf(event.network.tap, filtersInput).map((name) =>
          transaction({ flush: { chain: { ...at, name } } }, { delete: { chain: { ...at, name } } }),
        ),
      ];
  }
}
