/** `pnpm sandbox dns`: the DNS proxy as an egress filter for a network namespace or a container, by itself. */
import type { Command } from 'commander';
import { CodedError } from '#reference/base/coded-error.ts';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import { endpointText } from '#reference/dnsproxy/bind-refusal.ts';
import { startEgressFilter } from '#reference/dnsproxy/egress/egress-filter.ts';
import { parseEndpoint } from '#reference/dnsproxy/parse-endpoint.ts';
import { readServers } from '#reference/dnsproxy/resolv-conf.ts';
import { signalled } from '#reference/main/process.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { collect } from './parse-values.ts';

export interface SandboxDnsFlags {
  readonly netns?: string;
  readonly pid?: string;
  readonly listen: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly upstream: readonly string[];
  readonly resolvConf: string;
  readonly ipv6?: true;
  readonly io: string;
  readonly logLevel: string;
}

const none: readonly string[] = [];

export function addSandboxDnsOptions(command: Command): Command {
  return command
    .option('--netns <name>', 'the namespace, as ip netns list shows it, or a path')
    .option('--pid <pid>', '… or that of this process: of a container, docker inspect -f {{.State.Pid}} NAME')
    .option('--allow <entry>', '[tcp|udp://]host|*.host|CIDR:port; repeat it', collect, none)
    .option('--deny <cidr>', 'never reached, whatever resolves to it; repeat it', collect, none)
    .option(
      '--listen <address>',
      'where its processes ask (127.0.0.1:53); an address in the namespace',
      collect,
      none,
    )
    .option('--upstream <address>', 'a server to ask, from this side; repeat it', collect, none)
    .option('--resolv-conf <path>', 'else the nameserver lines of this file', '/etc/resolv.conf')
    .option('--ipv6', 'AAAA is answered and pinned too; IPv6 is filtered in any case')
    .option('--io <adapter>', 'epoll: a thread that waits in the kernel; dgram: portable', 'epoll')
    .option('--log-level <level>', logLevels.join(', '), 'info')
    .addHelpText(
      'after',
      `
What is not allowed does not leave the namespace, IPv6 and metadata included. While the proxy is dead (kill -9) only
addresses that are pinned already leave, until their time is over; the next start takes over. SIGTERM ends the
proxy and the filter. Point its resolver at the proxy: nameserver 127.0.0.1 in /etc/netns/NAME/resolv.conf, or
docker run --dns 127.0.0.1. A process with NET_ADMIN or NET_RAW in the namespace is not held: drop both.

Examples:
  pnpm sandbox dns --netns builds --allow example.com:443 --allow '*.example.org:443'
  pnpm sandbox dns --pid "$(docker inspect -f '{{.State.Pid}}' web)" --allow 10.1.0.0/16:5432 --upstream 192.0.2.53
${exitCodesHelp}`,
    );
}

function namespacePath({ netns, pid }: SandboxDnsFlags): string {
  if ((netns === undefined) === (pid === undefined)) {
    throw new CodedError(
      'bad-flag',
      'name one of --netns and --pid: whose traffic is filtered',
      'see pnpm sandbox dns --help; the host’s own network is never filtered',
    );
  }
  if (netns !== undefined) return netns.includes('/') ? netns : `/run/netns/${netns}`;
  if (!/^\d{1,7}$/.test(pid ?? '')) {
    throw new CodedError('bad-flag', `--pid ${pid}: it is no process ID`, 'see pnpm sandbox dns --help');
  }
  return `/proc/${pid}/ns/net`;
}

function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw new CodedError(
    'bad-flag',
    `${flag} ${value}: it is none of ${known.join(', ')}`,
    'see pnpm sandbox dns --help',
  );
}

/** Ends with SIGTERM or SIGINT. */
export async function sandboxDnsCommand(flags: SandboxDnsFlags): Promise<number> {
  const level: LogLevel = oneOf('--log-level', flags.logLevel, logLevels);
  const texts = flags.listen.length === 0 ? ['127.0.0.1:53'] : flags.listen;
  const listen = texts.map((text) => parseEndpoint('--listen', text, 53));
  const named = flags.upstream.map((text) => parseEndpoint('--upstream', text, 53));
  const filter = await startEgressFilter({
    namespacePath: namespacePath(flags),
    listen,
    policy: {
      allow: flags.allow,
      ipv6: flags.ipv6 === true,
      denyCIDRs: flags.deny,
      nat64Prefixes: [],
      pinPrivateCIDRs: [],
    },
    upstreams: named.length > 0 ? named : readServers(flags.resolvConf),
    io: oneOf('--io', flags.io, ['epoll', 'dgram'] as const),
    log: openLog('sandbox-dns', level),
  });
  process.stdout.write(`filtering; its processes ask ${listen.map(endpointText).join(', ')}\n`);
  // The namespace stays closed: nothing may hold up the end of a process that serves nobody any more.
  filter.proxy.ended.catch((error: unknown) => {
    process.stderr.write(`huskproof: the DNS proxy ended by itself: ${String(error)}\n`);
    process.exit(exitCodes.internal);
  });
  await signalled();
  await filter.stop();
  process.stdout.write('not filtering any more\n');
  return exitCodes.asDeclared;
}
