/** dns-query: what happens to the guest's message: a fresh upstream query, an answer at once, or silence. */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { defaultDnsPolicy, dnsPolicyConfig, hexMessage } from './dns-policy.ts';

export const dnsQuery = defineDecision({
  name: 'dns-query',
  summary: "What happens to the guest's message: a fresh upstream query, an answer at once, or silence?",
  config: dnsPolicyConfig,
  input: Type.Object(
    {
      message: hexMessage,
      transport: Type.Union([Type.Literal('udp'), Type.Literal('tcp')]),
      random: Type.Object(
        {
          id: Type.Integer({ minimum: 0, maximum: 65535, description: 'the upstream ID to use' }),
          caseBits: Type.String({
            pattern: '^[0-9a-f]{64}$',
            description: '256 coin flips for 0x20, one per letter',
          }),
        },
        { description: 'randomness drawn by the caller, so that the decision stays pure' },
      ),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('forward'), Type.Literal('answer'), Type.Literal('drop')]),
    message: Type.Optional(
      Type.String({
        description: 'forward: the upstream query; answer: the message to the guest; absent with drop',
      }),
    ),
    rule: Type.String(),
  }),
  equality: ['verdict', 'message'],
  example: {
    config: defaultDnsPolicy,
    input: {
      message: '123401000001000000000000076578616d706c6503636f6d0000010001',
      transport: 'udp' as const,
      random: { id: 4242, caseBits: '5a'.repeat(32) },
    },
  },
});
