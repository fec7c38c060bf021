/** What the DNS proxy asks of whoever holds the sets of pins: the kernel, or a fake of it. */
import type { AddressFamily } from './datapath.ts';

export interface PinPlace {
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** One thing to do, whole or not at all. The words are the pin ledger's. */
export type PinCommand =
  | {
      readonly kind: 'add';
      readonly tap: string;
      readonly elements: readonly (PinPlace & { readonly timeoutMs: number })[];
    }
  | { readonly kind: 'delete'; readonly tap: string; readonly elements: readonly PinPlace[] }
  /** The set is empty afterwards; it goes with its sandbox, which the datapath takes down. */
  | { readonly kind: 'delete-set'; readonly tap: string; readonly family: AddressFamily }
  /** The sets stand: the datapath made them with the sandbox. `ENODEV` when not one does. */
  | { readonly kind: 'create-sets'; readonly tap: string };

/** As the kernel lists it. */
export interface StandingPin extends PinPlace {
  readonly tap: string;
  readonly remainingMs: number;
}

export interface PinPort {
  /**
   * In order, adds and deletes in one batch; where that fails each by itself, so that one costs no other. For each
   * null when the kernel did it, else its errno's name; `ETIMEDOUT`: nobody knows.
   */
  run(commands: readonly PinCommand[]): (string | null)[];
  /** Families whose set stands. */
  setsOf(tap: string): AddressFamily[];
  /** Every pin of every tap. */
  read(): StandingPin[];
  close(): void;
}
