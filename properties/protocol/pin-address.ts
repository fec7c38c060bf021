/** pin-address: may this address, found in a DNS answer, be pinned into the datapath? */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

export const addressPolicyConfig = Type.Object(
  {
    denyCIDRs: Type.Array(Type.String(), {
      description: 'operator deny list (cluster, node, API server ranges)',
      maxItems: 4096,
    }),
    nat64Prefixes: Type.Array(Type.String(), {
      description: 'RFC 6052 prefixes of /32 /40 /48 /56 /64 /96',
      maxItems: 64,
    }),
    pinPrivateCIDRs: Type.Array(Type.String(), {
      description: 'private ranges that may be pinned all the same',
      maxItems: 4096,
    }),
  },
  { additionalProperties: false },
);

export const pinAddress = defineDecision({
  name: 'pin-address',
  summary: 'May this address, found in a DNS answer, be pinned into the datapath?',
  config: addressPolicyConfig,
  input: Type.Object(
    {
      address: Type.String({
        description: 'IPv4 dotted quad or IPv6 text (RFC 4291), no zone, no prefix length',
        maxLength: 64,
      }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('pin'), Type.Literal('refuse')]),
    pinnedAs: Type.Optional(
      Type.String({
        description: 'the element: RFC 5952 text; an IPv4-mapped address is its IPv4. Only with verdict pin',
      }),
    ),
    rule: Type.String({ description: 'the rule that made the verdict' }),
  }),
  equality: ['verdict', 'pinnedAs'],
  example: {
    config: { denyCIDRs: ['10.96.0.0/12'], nat64Prefixes: [], pinPrivateCIDRs: [] },
    input: { address: '64:ff9b::a9fe:a9fe' },
  },
});
