/**
 * What a fork engine asks of the network: for each sandbox a network namespace of its own, with its tap, ruleset and
 * resolver. Invariant: a network that is handed out stands behind the datapath; a closed one has left nothing.
 */
import type { SandboxPolicy } from './datapath.ts';
import type { GuestNetwork } from './guest-protocol.ts';

export interface SandboxNetworkHandle {
  /** The VMM's end of the tap. The tap goes when `close` has ended, and the VMM with it. */
  readonly tapFd: number;
  readonly guest: GuestNetwork;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface NetworksPort {
  /** @throws CodedError as `DatapathPort.open` and `DnsProxyPort.attach` */
  open(sandbox: string, policy: SandboxPolicy): Promise<SandboxNetworkHandle>;
  close(): Promise<void>;
}
