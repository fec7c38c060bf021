/** dns-reply: is this datagram (or TCP message) the reply to the query that was sent upstream? */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { defaultDnsPolicy, dnsPolicyConfig, hexMessage } from './dns-policy.ts';

const endpoint = Type.Object(
  { address: Type.String(), port: Type.Integer({ minimum: 0, maximum: 65535 }) },
  { additionalProperties: false },
);

export const dnsReply = defineDecision({
  name: 'dns-reply',
  summary: 'Is this message the reply to the query that was sent upstream (RFC 5452)?',
  config: dnsPolicyConfig,
  input: Type.Object(
    {
      query: hexMessage,
      sentTo: endpoint,
      reply: hexMessage,
      from: endpoint,
      transport: Type.Union([Type.Literal('udp'), Type.Literal('tcp')]),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([
      Type.Literal('accept', { description: 'use it; the wait ends' }),
      Type.Literal('ignore', { description: 'not the reply; keep listening' }),
      Type.Literal('retry-tcp', { description: 'the genuine reply, truncated: ask again over TCP' }),
      Type.Literal('fail', { description: 'the wait ends with SERVFAIL' }),
    ]),
    rule: Type.String(),
  }),
  equality: ['verdict'],
  example: {
    config: defaultDnsPolicy,
    input: {
      query: '109201000001000000000000076578616d706c6503636f6d0000010001',
      sentTo: { address: '192.0.2.53', port: 53 },
      reply: '109281800001000000000000076578616d706c6503636f6d0000010001',
      from: { address: '192.0.2.53', port: 53 },
      transport: 'udp' as const,
    },
  },
});
