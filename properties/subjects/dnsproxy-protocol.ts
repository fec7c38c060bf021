/**
 * How a harness drives a subject's DNS proxy: a process of its own in the pod's network namespace, a JSON line
 * in, a JSON line out, the same for every subject. Test-only: nothing that ships can be driven like this.
 * Invariant: the process dies with its parent; an order is answered once, by its id, and orders are obeyed one
 * after the other.
 */
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { dieWithParent, enter } from './datapath-protocol.ts';

export interface DnsPlace {
  readonly address: string;
  readonly port: number;
}

export interface DnsPolicyOrder {
  /** `[tcp|udp://]host|*.host:port`. */
  readonly allow: readonly string[];
  readonly ipv6: boolean;
  readonly denyCIDRs: readonly string[];
  readonly nat64Prefixes: readonly string[];
  readonly pinPrivateCIDRs: readonly string[];
}

export interface DnsSandboxOrder {
  readonly tap: string;
  readonly listen: readonly DnsPlace[];
  readonly policy: DnsPolicyOrder;
  /** Of the subject's datapath: where pins go. A subject that knows them by itself does not look. */
  readonly sets: PinSetNames;
}

export interface PinSetNames {
  readonly table: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export type DnsProxyOrder =
  | {
      readonly do: 'start';
      /** null: the process was started in the pod's network namespace. */
      readonly netns: string | null;
      readonly upstreams: readonly DnsPlace[];
      /** Of pins; 30 s unless a harness cannot wait so long. */
      readonly ttlFloorSeconds: number;
    }
  | { readonly do: 'attach'; readonly sandbox: DnsSandboxOrder }
  | { readonly do: 'policy'; readonly tap: string; readonly policy: DnsPolicyOrder }
  | { readonly do: 'detach'; readonly tap: string }
  | { readonly do: 'metrics' }
  /** The proxy ends; the process waits for the next pod. */
  | { readonly do: 'stop' };

export interface DnsProxyAnswer {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  /** Stable code of the error, where it has one. */
  readonly code?: string;
  readonly metrics?: string;
}

export interface DrivenDnsProxy {
  attach(sandbox: DnsSandboxOrder): Promise<void>;
  policy(tap: string, policy: DnsPolicyOrder): Promise<void>;
  detach(tap: string): Promise<void>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

const say = (line: DnsProxyAnswer) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Serves until stdin ends. `make` is called in the pod's namespace. */
export async function serveDnsProxy(
  make: (upstreams: readonly DnsPlace[], ttlFloorSeconds: number) => Promise<DrivenDnsProxy>,
): Promise<void> {
  dieWithParent();
  // Held open: the link itself follows the thread into the pod's namespace.
  const home = `/proc/self/fd/${openSync('/proc/thread-self/ns/net', 'r')}`;
  let standing: DrivenDnsProxy | null = null;
  let isElsewhere = false;
  const obey = async (order: DnsProxyOrder): Promise<Partial<DnsProxyAnswer>> => {
    if (order.do === 'start') {
      isElsewhere = order.netns !== null;
      if (order.netns !== null) enter(order.netns);
      standing = await make(order.upstreams, order.ttlFloorSeconds);
      return {};
    }
    if (standing === null) throw new Error(`${order.do} before start`);
    if (order.do === 'attach') await standing.attach(order.sandbox);
    else if (order.do === 'policy') await standing.policy(order.tap, order.policy);
    else if (order.do === 'detach') await standing.detach(order.tap);
    else if (order.do === 'metrics') return { metrics: await standing.metrics() };
    else {
      const ending = standing;
      standing = null;
      try {
        await ending.stop();
      } finally {
        if (isElsewhere) enter(home);
      }
    }
    return {};
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, ...order } = JSON.parse(line) as DnsProxyOrder & { id: number };
    try {
      say({ id, ok: true, ...(await obey(order as DnsProxyOrder)) });
    } catch (error) {
      const { message, code } = error as Error & { code?: unknown };
      say({ id, ok: false, error: message, ...(typeof code === 'string' ? { code } : {}) });
    }
  }
  // Whatever still listens would keep a process without orders alive.
  process.exit(0);
}
