/**
 * The DNS proxy of a pod: resolves allowlisted names only, and pins what they resolve to before it answers.
 * Invariant: it starts whole or not at all; what is asked of it is done one thing after the other.
 */
import { networkInterfaces } from 'node:os';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import { inetTable } from '#reference/contract/datapath.ts';
import type {
  DnsEndpoint,
  DnsProxyPort,
  DnsSandbox,
  DnsSandboxPolicy,
} from '#reference/contract/dns-port.ts';
import type { PinPort } from '#reference/contract/pin-port.ts';
import { endpointText } from './bind-refusal.ts';
import { checkEndpoint, checkLoops } from './check-policy.ts';
import { type CoreHost, openCore } from './core/core-host.ts';
import { type ProxyLimits, proxyLimits } from './core/limits.ts';
import type { RefusalLine } from './core/refusal-log.ts';
import type { DnsUpstream } from './core/upstreams.ts';
import { type GuestSide, guestSide } from './guest-side.ts';
import type { ProxyMetrics } from './metrics.ts';
import { noServer } from './resolv-conf.ts';
import { NodeStreams } from './streams/node-streams.ts';
import type { StreamLimits } from './streams/stream-listener.ts';

export interface DnsProxyOptions {
  /** In the order in which they are asked. */
  readonly upstreams: readonly DnsUpstream[];
  readonly io: 'epoll' | 'dgram';
  readonly limits?: Partial<ProxyLimits & StreamLimits>;
  readonly log: Log;
  /** The kernel's sets in another table, or a fake; the datapath's sets by default. */
  readonly pins?: { readonly table: string } | PinPort;
  /** A file of the network namespace in which guests ask and pins stand; upstream sockets stay in this one. */
  readonly namespacePath?: string;
}

export interface DnsProxy extends DnsProxyPort {
  /** Other servers from now on. @throws CodedError `no-upstream`, `bad-endpoint`, `upstream-loop` */
  setUpstreams(upstreams: readonly DnsUpstream[]): Promise<void>;
  /** Rejects when the proxy is no more although nobody stopped it. */
  readonly ended: Promise<void>;
}

/** @throws CodedError `no-upstream`, `bad-endpoint`, `no-net-admin`, `no-namespace`, `pins-refused` */
export async function startDnsProxy(options: DnsProxyOptions): Promise<DnsProxy> {
  const upstreams = checkUpstreams(options.upstreams);
  const namespacePath = options.namespacePath ?? null;
  const side = guestSide(namespacePath);
  let core: CoreHost | null = null;
  try {
    const streams = new NodeStreams(options.limits);
    core = await openCore({
      ...{ io: options.io, limits: { ...proxyLimits, ...options.limits }, streams, namespacePath },
      pins: options.pins ?? { table: inetTable },
      log: (line) => writeLine(options.log, line),
    });
    streams.handler = core;
    const proxy = new ProxyFront(core, streams, side, namespacePath !== null);
    await proxy.setUpstreams(upstreams);
    return proxy;
  } catch (error) {
    await core?.close();
    side.close();
    throw error;
  }
}

function writeLine(log: Log, { level, what, ...fields }: RefusalLine): void {
  log[level](fields, what);
}

function checkUpstreams(upstreams: readonly DnsUpstream[]): DnsUpstream[] {
  if (upstreams.length === 0) throw noServer('no upstream server is named');
  const checked: DnsUpstream[] = [];
  for (const upstream of upstreams) {
    const endpoint = checkEndpoint('upstream', upstream);
    const text = endpointText(endpoint);
    if (checked.some((known) => endpointText(known) === text)) {
      throw new CodedError('bad-endpoint', `upstream: ${text} is named twice`, 'leave one of them out');
    }
    checked.push({ ...endpoint, randomCase: upstream.randomCase ?? true });
  }
  return checked;
}

const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));

class ProxyFront implements DnsProxy {
  readonly #core: CoreHost;
  readonly #streams: NodeStreams;
  readonly #side: GuestSide;
  /** Guests ask in another namespace: an address there is not the same address here. */
  readonly #isElsewhere: boolean;
  /** Loaded when they are asked for. */
  #metrics: ProxyMetrics | null = null;
  readonly #listeners = new Map<string, readonly DnsEndpoint[]>();
  #upstreams: readonly DnsUpstream[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(core: CoreHost, streams: NodeStreams, side: GuestSide, isElsewhere: boolean) {
    this.#core = core;
    this.#streams = streams;
    this.#side = side;
    this.#isElsewhere = isElsewhere;
  }

  get ended(): Promise<void> {
    return this.#core.ended;
  }

  /** One thing after the other, whatever became of the one before. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #checkLoops(listeners: readonly DnsEndpoint[], upstreams: readonly DnsEndpoint[]): void {
    if (!this.#isElsewhere) checkLoops(listeners, upstreams, ownAddresses());
  }

  setUpstreams(upstreams: readonly DnsUpstream[]): Promise<void> {
    return this.#inTurn(async () => {
      const checked = checkUpstreams(upstreams);
      this.#checkLoops([...this.#listeners.values()].flat(), checked);
      await this.#core.call({ kind: 'upstreams', upstreams: checked });
      this.#upstreams = checked;
    });
  }

  attach(sandbox: DnsSandbox): Promise<void> {
    return this.#inTurn(async () => {
      const { tap } = sandbox;
      if (this.#listeners.has(tap)) {
        throw new CodedError('tap-taken', `a sandbox is attached to ${tap}`, 'detach it first');
      }
      const listen = sandbox.listen.map((endpoint) => checkEndpoint('listen', endpoint));
      if (listen.length === 0) {
        throw new CodedError('bad-endpoint', `listen: ${tap} has no resolver address`, 'name at least one');
      }
      this.#checkLoops(listen, this.#upstreams);
      // TCP first: it says that an address is taken before anything of the sandbox stands.
      await this.#streams.listen(tap, listen, (act) => this.#side.within(act));
      try {
        await this.#core.call({ kind: 'attach', sandbox: { ...sandbox, listen } });
      } catch (error) {
        this.#streams.unlisten(tap);
        throw error;
      }
      this.#listeners.set(tap, listen);
    });
  }

  change(tap: string, policy: DnsSandboxPolicy): Promise<void> {
    return this.#inTurn(async () => {
      await this.#core.call({ kind: 'change', tap, policy });
    });
  }

  detach(tap: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#streams.unlisten(tap);
      this.#listeners.delete(tap);
      await this.#core.call({ kind: 'detach', tap });
    });
  }

  async metrics(): Promise<string> {
    const snapshot = await this.#core.call({ kind: 'snapshot' });
    if (snapshot === null) throw new TypeError('a snapshot was asked for');
    if (this.#metrics === null) {
      const { ProxyMetrics: Metrics } = await import('./metrics.ts');
      this.#metrics ??= new Metrics();
    }
    return this.#metrics.text(snapshot, this.#streams.connections);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#inTurn(async () => {
      this.#streams.drain();
      try {
        await this.#core.call({ kind: 'drain' });
      } finally {
        this.#streams.close();
        await this.#core.close();
        this.#side.close();
      }
    });
    return this.#stopped;
  }
}
