/**
 * What the published proxy does with the kernel's sets (findings.md F1): "pinned for each allowed port with
 * max(TTL, floor)"; "a TTL of
 * 2³¹−1 makes nft refuse the element"; "one answer add thousands of pins, one process each"; "never deletes
 * the v6 set at teardown".
 * Re-adding an element sends no expiration (facts.md, "nftables cost").
 */
import type { Bind, OutputOf } from '../../protocol/decision.ts';
import type { pinLedger } from '../../protocol/pin-ledger.ts';

type Output = OutputOf<typeof pinLedger>;

interface Request {
  readonly requestId: string;
  /** Actions that are still awaited. */
  waiting: number;
  readonly addresses: Record<string, { pinned: boolean; ttlSeconds: number }>;
}

interface State {
  nextAction: number;
  readonly requests: Record<string, Request>;
  /** Request and address of each action. */
  readonly actions: Record<string, { readonly requestId: string; readonly address: string }>;
}

export const bind: Bind<typeof pinLedger> = ({ ttlFloorSeconds }) => {
  return ({ state, event }) => {
    const own = (state as State | null) ?? { nextAction: 1, requests: {}, actions: {} };
    const step: Output = { state: own, actions: [], outcomes: [], rule: event.kind };
    const actionId = () => String(own.nextAction++);
    if (event.kind === 'attach')
      step.actions.push({ kind: 'create-sets', actionId: actionId(), tap: event.tap });
    if (event.kind === 'detach') {
      step.actions.push({ kind: 'delete-set', actionId: actionId(), tap: event.tap, family: 'ipv4' });
    }
    if (event.kind === 'restart') {
      // Not observed, so taken in its favour: what belongs to no sandbox goes, as far as teardown goes at
      // all.
      for (const tap of new Set(event.kernel.map((element) => element.tap))) {
        if (event.attached.includes(tap)) continue;
        step.actions.push({ kind: 'delete-set', actionId: actionId(), tap, family: 'ipv4' });
      }
    }
    if (event.kind === 'pin') {
      const request: Request = { requestId: event.requestId, waiting: event.elements.length, addresses: {} };
      own.requests[event.requestId] = request;
      for (const { address, protocol, port, ttlSeconds: received } of event.elements) {
        const ttlSeconds = Math.max(received, ttlFloorSeconds);
        const id = actionId();
        own.actions[id] = { requestId: event.requestId, address };
        request.addresses[address] ??= { pinned: true, ttlSeconds };
        const elements = [{ address, protocol, port, timeoutMs: ttlSeconds * 1_000 }];
        step.actions.push({ kind: 'add', actionId: id, tap: event.tap, elements, refreshExpiration: false });
      }
    }
    if (event.kind === 'acknowledged') acknowledge(own, step, event.actionId, event.error);
    return step;
  };
};

function acknowledge(own: State, step: Output, actionId: string, error: string | null): void {
  const action = own.actions[actionId];
  delete own.actions[actionId];
  const request = action === undefined ? undefined : own.requests[action.requestId];
  if (action === undefined || request === undefined) return;
  const address = request.addresses[action.address];
  if (error !== null && address !== undefined) address.pinned = false;
  request.waiting -= 1;
  if (request.waiting > 0) return;
  delete own.requests[action.requestId];
  step.outcomes.push({
    requestId: request.requestId,
    addresses: Object.entries(request.addresses).map(([text, { pinned, ttlSeconds }]) => ({
      address: text,
      pinned,
      remainingSeconds: pinned ? ttlSeconds : 0,
    })),
    rule: 'a failed pin is logged',
  });
}
