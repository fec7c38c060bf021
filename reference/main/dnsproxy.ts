/**
 * The process of the DNS proxy: flags → wiring → run. One sandbox by flags, any number by a line of JSON each on
 * stdin; ends with SIGTERM, reads resolv.conf again with SIGHUP.
 */
import { createServer } from 'node:http';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import { inetTable } from '#reference/contract/datapath.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { serveControl } from '../dnsproxy/control-lines.ts';
import { type DnsProxy, startDnsProxy } from '../dnsproxy/dnsproxy.ts';
import { parseEndpoint } from '../dnsproxy/parse-endpoint.ts';
import { readServers } from '../dnsproxy/resolv-conf.ts';
import { badFlag, failProcess, oneOf, readFlags } from './process.ts';

const help = `Usage: node reference/main/dnsproxy.ts [flags]

Resolves allowlisted names only, and pins what they resolve to in the sets of a tap before it answers.

  --upstream ADDR[:PORT]   a server to ask; repeat it in the order of preference
  --resolv-conf PATH       else the nameserver lines of this file (/etc/resolv.conf); SIGHUP reads it again
  --tap NAME               one sandbox by flags: the sets of pins of this tap
  --listen ADDR[:PORT]     … its resolver address, port 53 unless named; repeat it for IPv6
  --allow ENTRY            … [tcp|udp://]host|*.host:port; repeat it
  --ipv6                   … AAAA is answered and pinned
  --deny CIDR  --nat64 CIDR  --pin-private CIDR    … the operator's ranges; repeat them
  --control                sandboxes by JSON lines on stdin: {"id":1,"attach":{…}}, change, detach, metrics
  --io epoll|dgram         epoll (default): a thread of its own on Linux; dgram: portable
  --cache N                replies that are kept for each sandbox; 0 keeps none
  --metrics ADDR[:PORT]    Prometheus metrics by HTTP on /metrics, port 9153 unless named
  --table NAME             the nf_tables table of the sets (${inetTable})
  --netns PATH             the network namespace of guests and sets; upstream sockets stay here
  --log-level LEVEL        ${logLevels.join(', ')}

Examples:
  node reference/main/dnsproxy.ts --upstream 192.0.2.53 --tap tap0 --listen 10.0.0.1 --allow example.com:443
  node reference/main/dnsproxy.ts --resolv-conf /etc/resolv.conf --control
`;

const options = {
  upstream: { type: 'string', multiple: true, default: [] as string[] },
  'resolv-conf': { type: 'string', default: '/etc/resolv.conf' },
  tap: { type: 'string' },
  listen: { type: 'string', multiple: true, default: [] as string[] },
  allow: { type: 'string', multiple: true, default: [] as string[] },
  ipv6: { type: 'boolean', default: false },
  deny: { type: 'string', multiple: true, default: [] as string[] },
  nat64: { type: 'string', multiple: true, default: [] as string[] },
  'pin-private': { type: 'string', multiple: true, default: [] as string[] },
  control: { type: 'boolean', default: false },
  io: { type: 'string', default: 'epoll' },
  cache: { type: 'string' },
  metrics: { type: 'string' },
  table: { type: 'string', default: inetTable },
  netns: { type: 'string' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof readFlags<typeof options>>;

function serversOf(flags: Flags): DnsEndpoint[] {
  if (flags.upstream.length === 0) return readServers(flags['resolv-conf']);
  return flags.upstream.map((text) => parseEndpoint('--upstream', text, 53));
}

async function attachByFlags(proxy: DnsProxy, flags: Flags): Promise<void> {
  if (flags.tap === undefined) {
    if (!flags.control) throw badFlag('--tap is missing, and --control too: there is nobody to serve');
    return;
  }
  await proxy.attach({
    tap: flags.tap,
    listen: flags.listen.map((text) => parseEndpoint('--listen', text, 53)),
    policy: {
      allow: flags.allow,
      ipv6: flags.ipv6,
      denyCIDRs: flags.deny,
      nat64Prefixes: flags.nat64,
      pinPrivateCIDRs: flags['pin-private'],
    },
  });
}

/** Ends with the process; says nothing but metrics. */
async function serveMetrics(proxy: DnsProxy, { address, port }: DnsEndpoint): Promise<() => void> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    proxy.metrics().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, address, resolve);
  });
  return () => server.close();
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  const level: LogLevel = oneOf('log-level', flags['log-level'], logLevels);
  const log = openLog('dnsproxy', level);
  const cacheEntries = flags.cache === undefined ? undefined : Number(flags.cache);
  if (
    cacheEntries !== undefined &&
    !(Number.isInteger(cacheEntries) && cacheEntries >= 0 && cacheEntries <= 65_536)
  )
    throw badFlag(`--cache ${flags.cache}: it is no number from 0 to 65536`);
  const proxy = await startDnsProxy({
    upstreams: serversOf(flags),
    io: oneOf('io', flags.io, ['epoll', 'dgram'] as const),
    ...(cacheEntries === undefined ? {} : { limits: { cacheEntries } }),
    log,
    pins: { table: flags.table },
    ...(flags.netns === undefined ? {} : { namespacePath: flags.netns }),
  });
  let endMetrics = (): void => undefined;
  try {
    await attachByFlags(proxy, flags);
    if (flags.metrics !== undefined) {
      endMetrics = await serveMetrics(proxy, parseEndpoint('--metrics', flags.metrics, 9_153));
    }
  } catch (error) {
    await proxy.stop();
    throw error;
  }
  const stop = () => {
    endMetrics();
    process.stdin.destroy();
    proxy.stop().then(
      () => log.info('stopped'),
      (error) => fail(error),
    );
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  process.on('SIGHUP', () => {
    if (flags.upstream.length > 0) return;
    Promise.resolve()
      .then(() => proxy.setUpstreams(serversOf(flags)))
      .then(
        () => log.info('upstream servers were read again'),
        (error: unknown) => log.error({ error: String(error) }, 'upstream servers stay as they were'),
      );
  });
  proxy.ended.catch(fail);
  if (flags.control) serveControl(proxy, process.stdin, process.stdout, stop);
  log.info({ tap: flags.tap, listen: flags.listen, io: flags.io }, 'ready');
}

const fail = (error: unknown) => failProcess('dnsproxy', error);

run().catch(fail);
