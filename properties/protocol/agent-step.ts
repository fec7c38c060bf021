/**
 * agent-step: a step decision. The guest agent's order of work across a fork: freeze, reseed, repair,
 * answer, and on the host's release thaw, signal and serve.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { callResult, generatorCall, notifyReply } from './reseed-report.ts';

const generation = Type.Number();
const service = Type.Union([Type.Literal('exec'), Type.Literal('files'), Type.Literal('configure')], {
  description: 'configure delivers secrets and tokens',
});

export const notifyForked = Type.Object(
  {
    version: Type.Number(),
    generation,
    nonce: Type.String({ maxLength: 8192 }),
    seed: Type.String({ maxLength: 8192 }),
    host_wall_clock_nanos: Type.Number(),
  },
  { additionalProperties: false },
);

export const agentEvent = Type.Union([
  Type.Object(
    { kind: Type.Literal('prepare-snapshot') },
    { description: 'the host is about to snapshot this VM: it waits for the reply' },
  ),
  Type.Object({ kind: Type.Literal('frozen'), ok: Type.Boolean() }, { description: 'the cgroup’s word' }),
  Type.Object({ kind: Type.Literal('notify-forked'), request: notifyForked }),
  Type.Object(
    { kind: Type.Literal('called'), generation, result: callResult },
    { description: 'what a call returned that was made for this generation' },
  ),
  Type.Object({
    kind: Type.Literal('repaired'),
    generation,
    ok: Type.Boolean(),
    appliedClockStepNanos: Type.Number(),
  }),
  Type.Object({ kind: Type.Literal('release'), generation }),
  Type.Object({ kind: Type.Literal('signaled'), generation, processes: Type.Integer({ minimum: 0 }) }),
  Type.Object({ kind: Type.Literal('request'), service }, { description: 'the host asks for a service' }),
]);

export const agentAction = Type.Union([
  Type.Object({ kind: Type.Literal('freeze') }, { description: 'answered by frozen' }),
  Type.Object({ kind: Type.Literal('thaw') }),
  Type.Object(
    { kind: Type.Literal('signal'), signal: Type.Literal('SIGUSR2'), generation },
    { description: 'to the processes that catch it; answered by signaled' },
  ),
  Type.Object(
    { kind: Type.Literal('call'), generation, call: generatorCall },
    { description: 'answered by called' },
  ),
  Type.Object(
    { kind: Type.Literal('repair'), generation, hostWallClockNanos: Type.Number() },
    { description: 'clock, generation file, network, volumes; answered by repaired' },
  ),
  Type.Object({ kind: Type.Literal('serve'), service }),
  Type.Object({
    kind: Type.Literal('reply'),
    to: Type.Union([
      Type.Literal('prepare-snapshot'),
      Type.Literal('notify-forked'),
      Type.Literal('release'),
      Type.Literal('request'),
    ]),
    body: Type.Union([
      notifyReply,
      Type.Object({
        ok: Type.Boolean(),
        signaled_processes: Type.Optional(Type.Integer()),
        error: Type.Optional(Type.String()),
      }),
    ]),
  }),
]);

export const agentStep = defineDecision({
  name: 'agent-step',
  summary:
    'The guest agent across a fork: what it does next, and what it refuses until the host releases it.',
  config: Type.Object({}, { additionalProperties: false }),
  input: Type.Object({ state: Type.Unknown(), event: agentEvent }, { additionalProperties: false }),
  output: Type.Object({ state: Type.Unknown(), actions: Type.Array(agentAction), rule: Type.String() }),
  equality: ['actions'],
  example: { config: {}, input: { state: null, event: { kind: 'prepare-snapshot' as const } } },
});
