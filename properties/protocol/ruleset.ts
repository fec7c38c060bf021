/**
 * ruleset: which nf_tables transactions a datapath makes, and when, as sandboxes come, change and go. What it
 * is told is all that it knows: the event carries the policy that stands, so that no state goes along. Each
 * step is a state that packets meet: a transaction, the tap that comes up, the tap that goes.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

const address = Type.String({ maxLength: 64, description: 'canonical text (RFC 5952)' });
const mac = Type.String({ maxLength: 17, description: '02:00:00:00:00:02' });
const cidrs = Type.Array(Type.String({ maxLength: 64 }), { maxItems: 256 });
const port = Type.Integer({ minimum: 1, maximum: 65535 });
const protocol = Type.Union([Type.Literal('tcp'), Type.Literal('udp')]);
const closed = { additionalProperties: false };

const guestAddresses = Type.Object(
  {
    guest: address,
    gateway: Type.String({ maxLength: 64, description: 'the address of the pod on the tap' }),
    resolver: Type.String({ maxLength: 64, description: 'where the DNS proxy listens on port 53' }),
  },
  closed,
);

const network = Type.Object(
  {
    tap: Type.String({ maxLength: 15, description: 'interface name of the tap in the pod' }),
    tapMac: mac,
    guestMac: mac,
    ipv4: guestAddresses,
    ipv6: Type.Union([guestAddresses, Type.Null()], { description: 'null: off for this sandbox' }),
  },
  closed,
);

const policy = Type.Object(
  {
    egress: Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
      description: 'allow: everything but the deny lists',
    }),
    allow: Type.Array(Type.String({ maxLength: 512 }), {
      maxItems: 256,
      description: '[tcp|udp://]host|*.host|CIDR:port; names are the DNS proxy’s',
    }),
    inbound: Type.Array(
      Type.Object({ protocol, podPort: port, guestPort: port, from: Type.String({ maxLength: 64 }) }, closed),
      { maxItems: 64, description: 'ports of the pod that are forwarded to the guest' },
    ),
  },
  closed,
);

const pin = Type.Object({ address, protocol, port }, closed);

export const rulesetEvent = Type.Union([
  Type.Object({ kind: Type.Literal('open-pod') }, closed),
  Type.Object({ kind: Type.Literal('open-sandbox'), network, policy }, closed),
  Type.Object({ kind: Type.Literal('change-policy'), network, before: policy, after: policy }, closed),
  Type.Object({ kind: Type.Literal('pin'), network, pins: Type.Array(pin, { maxItems: 64 }) }, closed),
  Type.Object({ kind: Type.Literal('close-sandbox'), network, policy }, closed),
]);

export const rulesetStep = Type.Union([
  Type.Object({
    kind: Type.Literal('transaction'),
    nftables: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      description: 'as libnftables-json(5) has it; done whole or not at all',
    }),
  }),
  Type.Object({ kind: Type.Literal('tap-up') }, { description: 'from here on the guest can send' }),
  Type.Object({ kind: Type.Literal('tap-gone') }),
]);

export const ruleset = defineDecision({
  name: 'ruleset',
  summary: 'Which nf_tables transactions a datapath makes, and when, as sandboxes come, change and go.',
  config: Type.Object(
    {
      uplink: Type.String({ maxLength: 15 }),
      denyCIDRs: cidrs,
      nat64Prefixes: cidrs,
      pinPrivateCIDRs: cidrs,
      masqueradePorts: Type.Tuple([port, port]),
      maxPins: Type.Integer({ minimum: 1, maximum: 65536 }),
    },
    closed,
  ),
  input: Type.Object({ event: rulesetEvent }, closed),
  output: Type.Object({
    steps: Type.Array(rulesetStep, { description: 'in order; none: the event is refused' }),
    rule: Type.String(),
  }),
  equality: ['steps'],
  example: {
    config: {
      uplink: 'eth0',
      denyCIDRs: ['10.96.0.0/12'],
      nat64Prefixes: [],
      pinPrivateCIDRs: [],
      masqueradePorts: [20_000, 30_000],
      maxPins: 1_024,
    },
    input: { event: { kind: 'open-pod' as const } },
  },
});
