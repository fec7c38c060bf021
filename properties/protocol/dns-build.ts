/**
 * dns-build: from an accepted reply, the pins to make and the answer for the guest. Called twice: with
 * `outcomes: null` it names the pins; with the outcome of each it gives the answer.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { defaultDnsPolicy, dnsPolicyConfig, hexMessage } from './dns-policy.ts';

/** One nftables element that a pin needs: a pin of an address has one for each allowed (protocol, port). */
export const pinElement = Type.Object(
  {
    address: Type.String({ description: 'IPv4 dotted quad, or IPv6 as RFC 5952 text' }),
    protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    ttlSeconds: Type.Integer({ minimum: 0, maximum: 4294967295, description: 'life asked for' }),
    entry: Type.String({ description: 'the allow entry that justifies it, as written in the policy' }),
  },
  { additionalProperties: false },
);

/** What became of one address: pinned (all its elements are in the kernel), for at least so long, or not. */
export const pinOutcome = Type.Object(
  {
    address: Type.String(),
    pinned: Type.Boolean(),
    remainingSeconds: Type.Number({
      minimum: 0,
      description: 'least remaining life of its elements; 0 when not pinned',
    }),
  },
  { additionalProperties: false },
);

export const dnsBuild = defineDecision({
  name: 'dns-build',
  summary: "From an accepted reply: the pins to make, then the guest's answer.",
  config: dnsPolicyConfig,
  input: Type.Object(
    {
      query: hexMessage,
      reply: hexMessage,
      transport: Type.Union([Type.Literal('udp'), Type.Literal('tcp')]),
      outcomes: Type.Union([Type.Null(), Type.Array(pinOutcome, { maxItems: 65536 })]),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    pins: Type.Array(pinElement, { description: 'all elements of the answer; the same in both calls' }),
    answer: Type.Union([Type.String(), Type.Null()], {
      description: 'hex; null while the outcome of a pin is awaited',
    }),
    refused: Type.Array(Type.Object({ address: Type.String(), rule: Type.String() }), {
      description: 'addresses that the pin-address policy refused',
    }),
    rule: Type.String(),
  }),
  equality: ['pins', 'answer'],
  example: {
    config: defaultDnsPolicy,
    input: {
      query: '123401000001000000000000076578616d706c6503636f6d0000010001',
      reply: '109281800001000100000000076578616d706c6503636f6d0000010001c00c00010001000000780004cb007109',
      transport: 'udp' as const,
      outcomes: null,
    },
  },
});
