/**
 * Makes one tool's ruleset and prints the capture. Runs in network, mount and process namespaces of its own
 * (capture.ts starts it there), so that all of it goes with this process; refuses the host's.
 */
import { cpSync, existsSync, mkdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readRuleset } from '#properties/oracles/nft/netlink/read-ruleset.ts';
import { readTopology } from '../providers/netns/read-topology.ts';
import { assertPrivateNetwork } from '../providers/netns/test-network.ts';
import { buildWorld, type RulesetTool, run } from './ruleset-tool.ts';
import { captureText } from './stored-ruleset.ts';
import { tools } from './tools.ts';

/** What the tool writes, it writes to copies on a file system that ends with us. */
function coverFolders(writes: readonly string[]): void {
  run('mount', ['-t', 'tmpfs', 'none', '/run']);
  for (const path of ['/run/dbus', '/run/lock', '/run/netns', '/run/covers']) mkdirSync(path);
  for (const path of writes) {
    const copy = `/run/covers${path}`;
    mkdirSync(dirname(copy), { recursive: true });
    if (!existsSync(path)) continue;
    if (statSync(path).isFile() || path.startsWith('/etc/')) cpSync(path, copy, { recursive: true });
    else mkdirSync(copy, { recursive: true });
    run('mount', ['--bind', copy, path]);
  }
}

function withoutCounters(listed: unknown): unknown {
  return JSON.parse(JSON.stringify(listed), (key, value: unknown) =>
    key === 'counter' && typeof value === 'object' ? { packets: 0, bytes: 0 } : value,
  );
}

async function capture(tool: RulesetTool, version: string): Promise<string> {
  coverFolders(tool.writes);
  buildWorld();
  await tool.install();
  const { name, made, place } = tool;
  const listed = withoutCounters(JSON.parse(run('nft', ['-j', 'list', 'ruleset'])));
  const network = readTopology();
  const head = { v: 1, kind: 'huskproof-ruleset', tool: name, version, made, place } as const;
  return captureText({ ...head, ...network, ruleset: readRuleset(), listed });
}

const [name, output = '', version = '', hostNetwork = '', hostMounts = ''] = process.argv.slice(2);
const found = tools.find((one) => one.name === name);
assertPrivateNetwork(hostNetwork);
if (readlinkSync('/proc/self/ns/mnt') === hostMounts || found === undefined) {
  throw new Error('these are the mounts of the host, or an unknown tool: nothing is changed here');
}
writeFileSync(Number(output), await capture(found, version));
process.exit(0);
