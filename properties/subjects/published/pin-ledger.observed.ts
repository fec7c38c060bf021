/** What the published proxy was observed to do with the kernel's sets (findings.md F1). */
import type { pinLedger } from '../../protocol/pin-ledger.ts';
import type { Observed } from '../observed.ts';

const config = { maxElementsPerSet: 1, ttlFloorSeconds: 30, ttlCeilingSeconds: 300, maxRequestsInFlight: 1 };
const element = (address: string, ttlSeconds: number) => ({
  address,
  protocol: 'tcp' as const,
  port: 443,
  ttlSeconds,
  entry: 'a.test:443',
});
const add = (actionId: string, address: string, timeoutMs: number) => ({
  kind: 'add' as const,
  actionId,
  tap: 'tap0',
  elements: [{ address, protocol: 'tcp' as const, port: 443, timeoutMs }],
  refreshExpiration: false,
});

export const observed: readonly Observed<typeof pinLedger>[] = [
  {
    says: 'lets one answer add thousands of pins, one process each: one action an element, no bound on the set',
    config,
    input: {
      state: null,
      event: {
        kind: 'pin',
        tap: 'tap0',
        requestId: 'r',
        elements: [element('1.1.1.1', 60), element('1.0.0.1', 60)],
        nowMs: 0,
      },
    },
    output: { actions: [add('1', '1.1.1.1', 60_000), add('2', '1.0.0.1', 60_000)] },
  },
  {
    says: 'a TTL of 2³¹−1 makes nft refuse the element: the TTL goes into the set as it came',
    config,
    input: {
      state: null,
      event: {
        kind: 'pin',
        tap: 'tap0',
        requestId: 'r',
        elements: [element('1.1.1.1', 2 ** 31 - 1)],
        nowMs: 0,
      },
    },
    output: { actions: [add('1', '1.1.1.1', (2 ** 31 - 1) * 1_000)] },
  },
  {
    says: 'never deletes the v6 set at teardown',
    config,
    input: { state: null, event: { kind: 'detach', tap: 'tap0', nowMs: 0 } },
    output: { actions: [{ kind: 'delete-set', actionId: '1', tap: 'tap0', family: 'ipv4' }] },
  },
];
