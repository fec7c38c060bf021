/**
 * pin-ledger: a step decision. It owns what is pinned in the kernel's sets, for every tap of a datapath:
 * reserve, add, extend, expire, revoke, tear down, and what is rebuilt after a restart. One event in,
 * kernel actions and outcomes out.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { pinElement, pinOutcome } from './dns-build.ts';

const nowMs = Type.Number({ minimum: 0, description: 'monotonic clock of the caller, milliseconds' });
const tap = Type.String({ minLength: 1, maxLength: 15 });
const family = Type.Union([Type.Literal('ipv4'), Type.Literal('ipv6')]);
const element = Type.Object(
  {
    address: pinElement.properties.address,
    protocol: pinElement.properties.protocol,
    port: pinElement.properties.port,
  },
  { additionalProperties: false },
);

export const pinLedgerEvent = Type.Union([
  Type.Object({ kind: Type.Literal('attach'), tap, nowMs }, { description: 'a new sandbox on this tap' }),
  Type.Object(
    { kind: Type.Literal('pin'), tap, requestId: Type.String(), elements: Type.Array(pinElement), nowMs },
    {
      description: 'an answer wants these elements; answered in outcomes, at once or after acknowledgements',
    },
  ),
  Type.Object(
    {
      kind: Type.Literal('acknowledged'),
      actionId: Type.String(),
      error: Type.Union([Type.Null(), Type.String()]),
      nowMs,
    },
    {
      description:
        "the kernel's word on an action; error is errno's name, for example ENFILE; ETIMEDOUT: the caller's deadline passed, nobody knows",
    },
  ),
  Type.Object(
    { kind: Type.Literal('policy'), tap, entries: Type.Array(Type.String()), nowMs },
    { description: 'a new policy: elements that none of these allow entries justifies go' },
  ),
  Type.Object({ kind: Type.Literal('detach'), tap, nowMs }, { description: 'the sandbox is gone' }),
  Type.Object(
    {
      kind: Type.Literal('restart'),
      attached: Type.Array(tap, { description: 'taps whose sandbox still lives' }),
      kernel: Type.Array(
        Type.Object({ tap, ...element.properties, remainingMs: Type.Number({ minimum: 0 }) }),
        { description: 'what a dump of the sets shows' },
      ),
      nowMs,
    },
    { description: 'the process starts again after kill -9; the state before it is lost' },
  ),
]);

export const pinLedgerAction = Type.Union([
  Type.Object({ kind: Type.Literal('create-sets'), actionId: Type.String(), tap }),
  Type.Object(
    {
      kind: Type.Literal('add'),
      actionId: Type.String(),
      tap,
      elements: Type.Array(Type.Object({ ...element.properties, timeoutMs: Type.Integer({ minimum: 0 }) })),
      refreshExpiration: Type.Boolean({
        description:
          'NFTA_SET_ELEM_EXPIRATION is sent too: without it kernel 6.18 keeps the old expiry on a re-add',
      }),
    },
    { description: 'one atomic batch: all or none' },
  ),
  Type.Object({ kind: Type.Literal('delete'), actionId: Type.String(), tap, elements: Type.Array(element) }),
  Type.Object({ kind: Type.Literal('delete-set'), actionId: Type.String(), tap, family }),
]);

export const pinLedger = defineDecision({
  name: 'pin-ledger',
  summary: 'What is pinned where, for how long: the next kernel actions and the outcome of each pin.',
  config: Type.Object(
    {
      maxElementsPerSet: Type.Integer({ minimum: 1, maximum: 65536 }),
      ttlFloorSeconds: Type.Integer({ minimum: 1 }),
      ttlCeilingSeconds: Type.Integer({ minimum: 1 }),
      maxRequestsInFlight: Type.Integer({ minimum: 1, maximum: 65536 }),
    },
    { additionalProperties: false },
  ),
  input: Type.Object({ state: Type.Unknown(), event: pinLedgerEvent }, { additionalProperties: false }),
  output: Type.Object({
    state: Type.Unknown(),
    actions: Type.Array(pinLedgerAction),
    outcomes: Type.Array(
      Type.Object({ requestId: Type.String(), addresses: Type.Array(pinOutcome), rule: Type.String() }),
    ),
    rule: Type.String(),
  }),
  equality: ['actions', 'outcomes'],
  example: {
    config: {
      maxElementsPerSet: 1024,
      ttlFloorSeconds: 30,
      ttlCeilingSeconds: 300,
      maxRequestsInFlight: 1024,
    },
    input: { state: null, event: { kind: 'attach' as const, tap: 'tap0', nowMs: 0 } },
  },
});
