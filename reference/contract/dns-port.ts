/** What husk, sandbox and harness ask of a DNS proxy, whatever thread or process it runs in. */

/** Address in canonical text (RFC 5952), port 1 to 65535. */
export interface DnsEndpoint {
  readonly address: string;
  readonly port: number;
}

/** One sandbox's resolver: where its guest asks, and what it may ask for. */
export interface DnsSandbox {
  /** Its pins stand in the sets of this tap. */
  readonly tap: string;
  /** Bound for UDP and TCP; the resolver addresses of the sandbox, port 53. */
  readonly listen: readonly DnsEndpoint[];
  readonly policy: DnsSandboxPolicy;
}

export interface DnsSandboxPolicy {
  /** `[tcp|udp://]host|*.host:port`; CIDR entries are the ruleset's and are passed over. */
  readonly allow: readonly string[];
  /** AAAA is answered and pinned; else it is NODATA. */
  readonly ipv6: boolean;
  readonly denyCIDRs: readonly string[];
  readonly nat64Prefixes: readonly string[];
  readonly pinPrivateCIDRs: readonly string[];
}

/** Each call ends with the kernel's word, or an error that names what was wrong and leaves what stood before. */
export interface DnsProxyPort {
  /** @throws CodedError `address-taken`, `bad-allow-entry`, `bad-prefix`, `no-sandbox`, `pins-refused` */
  attach(sandbox: DnsSandbox): Promise<void>;
  /** Pins that no entry justifies any more are gone when it ends. @throws CodedError as `attach` */
  change(tap: string, policy: DnsSandboxPolicy): Promise<void>;
  /** No pin of either family is left when it ends. */
  detach(tap: string): Promise<void>;
  /** Prometheus text format, version 0.0.4. */
  metrics(): Promise<string>;
  /** Accepts nothing more, answers what is under way within the deadline, then ends. */
  stop(): Promise<void>;
}
