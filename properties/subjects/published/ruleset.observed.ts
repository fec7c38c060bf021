/** What the published fix of the husk datapath was observed to do (findings.md F4). */
import type { ruleset } from '../../protocol/ruleset.ts';
import type { Observed } from '../observed.ts';

const config = {
  uplink: 'eth0',
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [20_000, 30_000] as [number, number],
  maxPins: 64,
};
const network = {
  tap: 'tap0',
  tapMac: '02:00:00:00:00:01',
  guestMac: '02:00:00:00:00:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
  ipv6: null,
};
const nothing = { egress: 'deny' as const, allow: [], inbound: [] };
const wide = { ...nothing, allow: ['93.184.216.34/32:443'] };
const at = { family: 'inet', table: 'husk' };
const match = (left: unknown, right: unknown) => ({ match: { op: '==', left, right } });
const own = [
  match({ meta: { key: 'iifname' } }, 'tap0'),
  match({ payload: { protocol: 'ip', field: 'saddr' } }, '10.200.0.2'),
];
const rule = (chain: string, ...expr: unknown[]) => ({ add: { rule: { ...at, chain, expr } } });
const toResolver = (protocol: string) =>
  rule(
    'tap0-input',
    ...own,
    match({ payload: { protocol: 'ip', field: 'daddr' } }, '10.200.0.1'),
    match({ payload: { protocol, field: 'dport' } }, 53),
    { accept: null },
  );
const pins = (family: string) => ({
  add: {
    set: {
      ...at,
      name: `tap0-allowed-${family}`,
      type: [`${family}_addr`, 'inet_proto', 'inet_service'],
      flags: ['timeout'],
    },
  },
});
const metadata = match(
  { payload: { protocol: 'ip', field: 'daddr' } },
  { prefix: { addr: '169.254.0.0', len: 16 } },
);
const pinned = match(
  {
    concat: [
      { payload: { protocol: 'ip', field: 'daddr' } },
      { meta: { key: 'l4proto' } },
      { payload: { protocol: 'th', field: 'dport' } },
    ],
  },
  '@tap0-allowed-ipv4',
);
const denying = [
  rule('tap0-forward', ...own, metadata, { drop: null }),
  rule('tap0-forward', ...own, pinned, { accept: null }),
  rule('tap0-forward', ...own, { drop: null }),
];
const chain = (name: string, type: string, hook: string, prio: number) => ({
  add: { chain: { ...at, name, type, hook, prio, policy: 'accept' } },
});
const gone = (name: string) => ({
  kind: 'transaction' as const,
  nftables: [{ flush: { chain: { ...at, name } } }, { delete: { chain: { ...at, name } } }],
});

export const observed: readonly Observed<typeof ruleset>[] = [
  {
    says: 'rules are installed in several steps after the tap is up; an input-hook chain: accept guest → resolver udp/tcp 53, then `ip saddr <guest> drop`; policy accept',
    config,
    input: { event: { kind: 'open-sandbox', network, policy: nothing } },
    output: {
      steps: [
        { kind: 'tap-up' },
        {
          kind: 'transaction',
          nftables: [pins('ipv4'), pins('ipv6'), chain('tap0-forward', 'filter', 'forward', 0)],
        },
        { kind: 'transaction', nftables: denying },
        {
          kind: 'transaction',
          nftables: [
            chain('tap0-masquerade', 'nat', 'postrouting', 100),
            rule(
              'tap0-masquerade',
              match({ payload: { protocol: 'ip', field: 'saddr' } }, '10.200.0.2'),
              match({ meta: { key: 'oifname' } }, 'eth0'),
              { masquerade: null },
            ),
          ],
        },
        {
          kind: 'transaction',
          nftables: [
            chain('tap0-input', 'filter', 'input', 0),
            toResolver('udp'),
            toResolver('tcp'),
            rule('tap0-input', ...own, { drop: null }),
          ],
        },
      ],
    },
  },
  {
    says: 're-applying a narrower policy leaves the wider accepts in front: rules are only added',
    config,
    input: { event: { kind: 'change-policy', network, before: wide, after: nothing } },
    output: { steps: [{ kind: 'transaction', nftables: denying }] },
  },
  {
    says: 'deletion leaves sets behind: chains go, no set does',
    config,
    input: { event: { kind: 'close-sandbox', network, policy: nothing } },
    output: {
      steps: [{ kind: 'tap-gone' }, gone('tap0-forward'), gone('tap0-masquerade'), gone('tap0-input')],
    },
  },
];
