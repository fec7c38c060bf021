/**
 * Starts one resolver and checks it, and writes what was found. Runs in network, mount and process namespaces of
 * its own (resolvers-command.ts starts it there), where port 53 and hostile addresses harm nobody.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { assertPrivateNetwork } from '#kvm-lab/providers/netns/test-network.ts';
import type { ResolverTool } from '#kvm-lab/resolvers/resolver-tool.ts';
import { startResolver } from '#kvm-lab/resolvers/start-resolver.ts';
import { tools } from '#kvm-lab/resolvers/tools.ts';
import { checkServer } from './claims-of-server.ts';
import { endpointText } from './endpoint.ts';
import { defaultDomain, settingsOf } from './flags.ts';
import { onStage } from './open-stage.ts';
import { resultOf, resultText } from './resolver-result.ts';

const server = { address: '127.0.0.1', port: 53 };
const upstream = { address: '127.0.0.2', port: 5353 };
const runFolder = '/run';

/** Nothing generated: what is published must be the same in every run. */
const numbers = {
  perSecond: 400,
  durationMs: 240_000,
  timeoutMs: 4_000,
  waitMs: 20_000,
  seed: 1,
  runs: 0,
};

async function check(tool: ResolverTool, version: string): Promise<string> {
  execFileSync('mount', ['-t', 'tmpfs', 'none', runFolder], { timeout: 10_000 });
  const place = { folder: `${runFolder}/resolver`, server, upstream, domain: defaultDomain };
  const { pinSets } = tool;
  const nftSet =
    pinSets === undefined
      ? []
      : [pinSets.ipv4, pinSets.ipv6].flatMap((set) => [pinSets.family, pinSets.table, set]);
  const settings = settingsOf(
    { server: endpointText(server), upstreamListen: endpointText(upstream), nftSet, ...tool.told },
    numbers,
  );
  const running = startResolver(tool, place);
  try {
    const checked = await onStage(settings, new AbortController().signal, ({ stage }) => checkServer(stage));
    if (checked.server.state !== 'answers' || checked.cutOff !== null) {
      process.stderr.write(
        `${checked.server.state}: ${checked.server.reason} ${checked.cutOff ?? ''} ${running.ended() ?? ''}\n${running.words()}\n`,
      );
    }
    return resultText(resultOf(tool, version, checked));
  } finally {
    await running.end();
  }
}

const [name, output = '', version = '', hostNetwork = '', hostMounts = ''] = process.argv.slice(2);
const found = tools.find((one) => one.name === name);
assertPrivateNetwork(hostNetwork);
if (readlinkSync('/proc/self/ns/mnt') === hostMounts || found === undefined) {
  throw new Error('these are the mounts of the host, or an unknown resolver: nothing is started here');
}
writeFileSync(Number(output), await check(found, version));
process.exit(0);
