/** The reference's pin-ledger behind the subject protocol: its state is JSON already. */
import Type from 'typebox';
import type { LedgerState } from '#reference/decisions/pin-ledger/ledger-state.ts';
import { stepLedger } from '#reference/decisions/pin-ledger/pin-ledger.ts';
import type { Bind } from '../../protocol/decision.ts';
import { pinElement } from '../../protocol/dns-build.ts';
import type { pinLedger } from '../../protocol/pin-ledger.ts';
import { keptState } from './kept-state.ts';

const { address, protocol, port, entry } = pinElement.properties;
const count = Type.Integer({ minimum: 0 });
const perFamily = Type.Object({ ipv4: count, ipv6: count });
const names = Type.Array(Type.String());
const tap = Type.String();
const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const pin = Type.Object({
  element: Type.Object({ address, protocol, port }),
  leastExpiryMs: Type.Number(),
  mostExpiryMs: Type.Number(),
  entries: names,
  leaving: Type.Boolean(),
});

const tapPins = Type.Object({
  settling: count,
  pins: Type.Record(Type.String(), pin),
  count: perFamily,
  reserved: perFamily,
  promised: Type.Record(Type.String(), Type.Object({ timeoutMs: count, batches: count })),
  policy: nullable(names),
});

const inFlight = Type.Union([
  Type.Object({
    kind: Type.Literal('add'),
    tap,
    requestId: Type.String(),
    issuedMs: Type.Number(),
    wanted: Type.Array(Type.Object({ address, protocol, port, entry, timeoutMs: count })),
    batch: Type.Record(Type.String(), count),
    reserved: perFamily,
    overtaken: Type.Boolean(),
  }),
  Type.Object({ kind: Type.Literal('cancelled'), tap: Type.Null() }),
  Type.Object({ kind: Type.Literal('delete'), tap, keys: names, attempt: count }),
  Type.Object({
    kind: Type.Literal('sets'),
    tap,
    family: nullable(Type.Enum(['ipv4', 'ipv6'])),
    attempt: count,
  }),
]);

const states = keptState<LedgerState>(
  Type.Object({
    taps: Type.Record(Type.String(), tapPins),
    inFlight: Type.Record(Type.String(), inFlight),
    requests: count,
    nextAction: count,
  }),
);

/** Who hands in no state of ours has no sandbox attached: nothing is pinned. */
export const bind: Bind<typeof pinLedger> = (config) => {
  return ({ state, event }) => {
    const step = stepLedger(config, states.recall(state), event);
    return { ...step, state: states.keep(step.state) };
  };
};
