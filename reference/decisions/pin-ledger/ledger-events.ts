/** What the pin ledger hears and says: its limits, events, kernel actions and outcomes. */
import type { Element, Family, LedgerState } from './ledger-state.ts';

export interface LedgerLimits {
  readonly maxElementsPerSet: number;
  readonly ttlFloorSeconds: number;
  readonly ttlCeilingSeconds: number;
  /** Batches that await the kernel. */
  readonly maxRequestsInFlight: number;
}

export interface RequestedElement extends Element {
  readonly ttlSeconds: number;
  readonly entry: string;
}

/** Times are milliseconds of one monotonic clock. */
export type LedgerEvent =
  | { readonly kind: 'attach' | 'detach'; readonly tap: string; readonly nowMs: number }
  | {
      readonly kind: 'pin';
      readonly tap: string;
      readonly requestId: string;
      readonly elements: readonly RequestedElement[];
      readonly nowMs: number;
    }
  | {
      readonly kind: 'acknowledged';
      readonly actionId: string;
      readonly error: string | null;
      readonly nowMs: number;
    }
  | {
      readonly kind: 'policy';
      readonly tap: string;
      readonly entries: readonly string[];
      readonly nowMs: number;
    }
  | {
      readonly kind: 'restart';
      readonly attached: readonly string[];
      readonly kernel: readonly (Element & { readonly tap: string; readonly remainingMs: number })[];
      readonly nowMs: number;
    };

export type LedgerAction =
  | { readonly kind: 'create-sets'; readonly actionId: string; readonly tap: string }
  | {
      readonly kind: 'add';
      readonly actionId: string;
      readonly tap: string;
      readonly elements: (Element & { readonly timeoutMs: number })[];
      readonly refreshExpiration: boolean;
    }
  | { readonly kind: 'delete'; readonly actionId: string; readonly tap: string; readonly elements: Element[] }
  | { readonly kind: 'delete-set'; readonly actionId: string; readonly tap: string; readonly family: Family };

export interface PinOutcome {
  readonly requestId: string;
  readonly addresses: {
    readonly address: string;
    readonly pinned: boolean;
    readonly remainingSeconds: number;
  }[];
  readonly rule: string;
}

export interface LedgerStep {
  readonly state: LedgerState;
  readonly actions: LedgerAction[];
  readonly outcomes: PinOutcome[];
  readonly rule: string;
}
