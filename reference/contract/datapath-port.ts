/** What the husk asks of a datapath: the port behind which the kernel stands, or a fake of it. */
import type { PinElement, SandboxNetwork, SandboxPolicy } from './datapath.ts';

export interface OpenedTap {
  /** The VMM's end of the tap. The tap goes when the last copy is closed. */
  readonly fd: number;
  readonly index: number;
}

export interface DatapathPort {
  /**
   * The tap, with everything around it. On any failure nothing of it is left.
   * @throws CodedError `bad-network`, `bad-allow-entry`, `bad-prefix`, `tap-taken`, `no-tun`, `ipv6-unsupported`,
   * `ruleset-refused`
   */
  open(network: SandboxNetwork, policy: SandboxPolicy): OpenedTap;
  /**
   * From now on the new policy. Flows that it admits too live on; those that it forbids pass nowhere, and are
   * forgotten. `unjustified`: pins that only the old policy justified; they go first.
   * @throws CodedError `no-sandbox`, `bad-network`, `bad-allow-entry`, `bad-prefix`, `ruleset-refused`
   */
  change(tap: string, policy: SandboxPolicy, unjustified?: readonly PinElement[]): void;
  /** When it returns, no packet passes the tap in either direction. The rest is `reap`’s. @throws `no-sandbox` */
  cutOff(tap: string): void;
  /** Removes what was cut off: taps, then rules, sets and flows. All of it is tried; what failed is thrown. */
  reap(): void;
  /** `cutOff` and `reap`. */
  close(tap: string): void;
  /** `cutOff` now; the rest in the background, in bounded batches. Rejects with what failed. */
  closeInBackground(tap: string): Promise<void>;
  /** Which of the pins stand now, in order; a set that is full refuses. */
  addPins(pins: readonly PinElement[]): boolean[];
  /** Which of the pins stand no more, in order. */
  deletePins(pins: readonly PinElement[]): boolean[];
  /** Closes what stands, and gives the namespace back as it was. */
  shutDown(): void;
}
