/**
 * activation-step: a step decision. The host's order of work for every fork that it activates: reserve,
 * notify, gate, insert, release, deliver; refused forks are reaped.
 */
import Type from 'typebox';
import { notifyForked } from './agent-step.ts';
import { defineDecision } from './decision.ts';
import { gateConfig, hostWitness, insertion } from './reseed-gate.ts';

const fork = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'unique per VM of this host' });
const snapshot = Type.String({ maxLength: 128, description: 'digest of the snapshot' });
const generation = Type.Number();
const purpose = Type.Union([Type.Literal('reserve'), Type.Literal('witness')]);
const what = Type.Union([
  Type.Literal('token'),
  Type.Literal('secrets'),
  Type.Literal('exec'),
  Type.Literal('files'),
]);

export const activationEvent = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('fork'),
      fork,
      snapshot,
      generation,
      seed: Type.String({ maxLength: 8192, description: "fresh from the host's generator, hex" }),
      nonce: Type.String({ maxLength: 8192 }),
      hostWallClockNanos: Type.Number(),
    },
    { description: 'the VM runs, its workload frozen' },
  ),
  Type.Object(
    { kind: Type.Literal('stored'), fork, purpose, answer: insertion },
    { description: "the store's answer to an insert; it may come late, twice or never" },
  ),
  Type.Object({
    kind: Type.Literal('response'),
    fork,
    line: Type.String({ maxLength: 1_048_576 }),
    elapsedMs: Type.Number({ minimum: 0 }),
    witness: hostWitness,
  }),
  Type.Object({ kind: Type.Literal('deadline'), fork }),
  Type.Object({ kind: Type.Literal('released'), fork, generation, ok: Type.Boolean() }),
  Type.Object(
    { kind: Type.Literal('deliver'), fork, what },
    { description: 'the controller or a user asks for it' },
  ),
  Type.Object({ kind: Type.Literal('gone'), fork }),
  Type.Object(
    {
      kind: Type.Literal('restart'),
      running: Type.Array(
        Type.Object({
          fork,
          snapshot,
          generation,
          admitted: Type.Boolean({ description: 'the store holds a witness inserted for this generation' }),
        }),
      ),
    },
    { description: 'the process starts again after kill -9; the state before it is lost, the store is not' },
  ),
]);

export const activationAction = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('insert'),
      fork,
      purpose,
      snapshot,
      generation,
      keys: Type.Array(Type.String(), { minItems: 1 }),
    },
    { description: 'all or none, if all are absent, durably; answered by stored' },
  ),
  Type.Object({ kind: Type.Literal('notify-forked'), fork, message: notifyForked }),
  Type.Object(
    { kind: Type.Literal('arm-deadline'), fork, afterMs: Type.Number() },
    { description: 'a fork has one deadline: arming it anew replaces it' },
  ),
  Type.Object({ kind: Type.Literal('release'), fork, message: Type.Object({ generation }) }),
  Type.Object({ kind: Type.Literal('deliver'), fork, what }),
  Type.Object({ kind: Type.Literal('deny'), fork, what }),
  Type.Object({ kind: Type.Literal('reap'), fork }),
]);

export const activationStep = defineDecision({
  name: 'activation-step',
  summary: 'The host and its forks: what is sent, stored, released, delivered and reaped, in which order.',
  config: Type.Object(
    { ...gateConfig.properties, maxForks: Type.Integer({ minimum: 1, maximum: 65_536 }) },
    { additionalProperties: false },
  ),
  input: Type.Object({ state: Type.Unknown(), event: activationEvent }, { additionalProperties: false }),
  output: Type.Object({ state: Type.Unknown(), actions: Type.Array(activationAction), rule: Type.String() }),
  equality: ['actions'],
  example: {
    config: { deadlineMs: 2000, requireWitness: false, maxForks: 64 },
    input: {
      state: null,
      event: {
        kind: 'fork' as const,
        fork: 'fork-1',
        snapshot: 'sha256:5a',
        generation: 7,
        seed: '5e'.repeat(32),
        nonce: 'aa'.repeat(32),
        hostWallClockNanos: 1_795_000_000_000_000_000,
      },
    },
  },
});
