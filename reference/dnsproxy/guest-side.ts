/** Where guests' sockets and the sets of pins are: in this network namespace, or in one that is gone to for a call. */
import { NetworkNamespace } from '#reference/base/namespace-thread.ts';

export interface GuestSide {
  within<T>(act: () => T): T;
  close(): void;
}

/** @throws CodedError `no-namespace` */
export function guestSide(path: string | null): GuestSide {
  if (path === null) return { within: (act) => act(), close: () => undefined };
  return new NetworkNamespace(path);
}
