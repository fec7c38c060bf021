/**
 * What husk, DNS proxy and datapath agree on about one sandbox's network: its addresses, its policy, and the
 * names under which its rules and sets stand in nf_tables.
 */

/** One sandbox behind one tap. Addresses in canonical text (RFC 5952), MACs as `02:00:00:00:00:02`. */
export interface SandboxNetwork {
  /** Interface name of the tap in the pod: 1 to 15 of a-z, 0-9 and -, beginning with a letter. */
  readonly tap: string;
  readonly tapMac: string;
  readonly guestMac: string;
  readonly ipv4: GuestAddresses;
  /** null: IPv6 is off for this sandbox. */
  readonly ipv6: GuestAddresses | null;
}

export interface GuestAddresses {
  readonly guest: string;
  /** The pod's address on the tap. */
  readonly gateway: string;
  /** Where the DNS proxy listens on port 53: the gateway unless configured. */
  readonly resolver: string;
}

export interface SandboxPolicy {
  /** `allow`: everything but the deny lists. */
  readonly egress: 'deny' | 'allow';
  /** `[tcp|udp://]host|*.host|CIDR:port`; names are the DNS proxy's, CIDRs the ruleset's. */
  readonly allow: readonly string[];
  /** Flows that may begin outside. */
  readonly inbound: readonly InboundPort[];
}

/** A port of the pod that is forwarded to the guest. */
export interface InboundPort {
  readonly protocol: 'tcp' | 'udp';
  readonly podPort: number;
  readonly guestPort: number;
  /** Who may begin: a CIDR. */
  readonly from: string;
}

/** What all sandboxes of one pod share. */
export interface PodNetwork {
  readonly uplink: string;
  readonly denyCIDRs: readonly string[];
  /** RFC 6052 prefixes in use: what is denied is denied inside them too. */
  readonly nat64Prefixes: readonly string[];
  /** Ranges of the private list that DNS answers may be pinned in. */
  readonly pinPrivateCIDRs: readonly string[];
  /** Source ports of masqueraded flows: clear of the pod's listeners and of its own ephemeral ports. */
  readonly masqueradePorts: readonly [first: number, last: number];
  /** Elements of one sandbox's set of pins, each family. */
  readonly maxPins: number;
}

/** An address that a sandbox may reach, until it times out or is renewed. */
export interface PinElement {
  readonly tap: string;
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly timeoutMs: number;
}

export const inetTable = 'mitos';
export const netdevTable = 'mitos';

export type AddressFamily = 'ipv4' | 'ipv6';

/** The set of a sandbox's pins: elements `address . protocol . port`, each with a timeout. */
export function pinSetOf(tap: string, family: AddressFamily): string {
  return `${tap}/pins-${family}`;
}
