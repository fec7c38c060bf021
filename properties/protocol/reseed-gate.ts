/**
 * reseed-gate: the guest's response and what the host knows → admit, refuse, or what the store must hold
 * first.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

export const gateConfig = Type.Object(
  {
    deadlineMs: Type.Integer({ minimum: 1, maximum: 600_000 }),
    requireWitness: Type.Boolean({
      description: 'refuse a fork whose generator the VMM could not read',
    }),
  },
  { additionalProperties: false },
);

export const hostWitness = Type.Union(
  [
    Type.Null(),
    Type.Object(
      {
        changed: Type.Boolean({ description: "the generator differs from the snapshot's" }),
        digest: Type.String({ description: 'SHA-256 of its key, hex', maxLength: 128 }),
      },
      { additionalProperties: false },
    ),
  ],
  { description: 'what the VMM read of the fork’s generator; null: it cannot' },
);

export const insertion = Type.Union(
  [Type.Literal('inserted'), Type.Literal('present'), Type.Literal('full'), Type.Literal('failed')],
  { description: "the store's word on all keys at once" },
);

export const reseedGate = defineDecision({
  name: 'reseed-gate',
  summary:
    'May this fork serve? Judges its response, then what the insert-if-absent store said of its witness.',
  config: gateConfig,
  input: Type.Object(
    {
      request: Type.Object(
        {
          snapshot: Type.String({ description: 'digest of the snapshot', maxLength: 128 }),
          generation: Type.Number(),
          nonce: Type.String({ maxLength: 128 }),
        },
        { additionalProperties: false },
      ),
      response: Type.Union([Type.Null(), Type.String({ maxLength: 1_048_576 })], {
        description: 'the line as it came, without its newline; null: none came',
      }),
      elapsedMs: Type.Number({ minimum: 0, description: 'from the request sent to the response read' }),
      witness: hostWitness,
      insertion: Type.Union([Type.Null(), insertion], { description: 'null: the store was not asked yet' }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('admit'), Type.Literal('refuse'), Type.Literal('insert')]),
    insert: Type.Optional(
      Type.Object(
        {
          snapshot: Type.String(),
          keys: Type.Array(Type.String(), {
            minItems: 1,
            description: '`sample:` and the sample; where the VMM could read it, `witness:` and its digest',
          }),
        },
        { description: 'insert all or none, if all are absent; then ask again with the answer' },
      ),
    ),
    rule: Type.String(),
  }),
  equality: ['verdict', 'insert'],
  example: {
    config: { deadlineMs: 2000, requireWitness: false },
    input: {
      request: { snapshot: 'sha256:5a', generation: 7, nonce: 'aa'.repeat(32) },
      response: '{"ok":true,"reseeded_rng":true}',
      elapsedMs: 12,
      witness: null,
      insertion: null,
    },
  },
});
