/**
 * What passes a second from a guest to the world, through the rules and through a bare forward: three namespaces,
 * veth pairs, TCP by real stacks. The guest's veth stands for a tap; its rules are those of one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '#reference/datapath/kernel-ground.ts';
import { NETLINK_NETFILTER, NetlinkSession } from '#reference/datapath/netlink.ts';
import { NftSession } from '#reference/datapath/nf-tables/nft-session.ts';
import { closePod, openPod, openSandbox } from '#reference/decisions/ruleset/ruleset.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { median, type Part } from './figures.ts';

const rounds = 25;
const blaster = fileURLToPath(new URL('./blast.ts', import.meta.url));
const network = sampleNetwork(0);
const world = '93.184.215.14';
const policy = { ...narrowPolicy, allow: [`tcp://${world}/32:443`, `udp://${world}/32:443`] };

function lay(): void {
  run('mount', '-t', 'tmpfs', 'none', '/run');
  for (const name of ['guest', 'world']) run('ip', 'netns', 'add', name);
  const [tap, uplink] = [network.tap, contractPod.uplink];
  for (const [link, peer, netns] of [
    [tap, 'eth0', 'guest'],
    [uplink, 'eth1', 'world'],
  ] as const) {
    run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', peer, 'netns', netns);
    run('ip', 'link', 'set', link, 'up');
    run('ip', '-n', netns, 'link', 'set', 'lo', 'up');
  }
  run('ip', 'link', 'set', tap, 'address', network.tapMac);
  run('ip', '-n', 'guest', 'link', 'set', 'eth0', 'address', network.guestMac, 'up');
  run('ip', '-n', 'world', 'link', 'set', 'eth1', 'up');
  run('ip', 'address', 'add', `${network.ipv4.gateway}/30`, 'dev', tap);
  run('ip', 'address', 'add', '192.0.2.10/24', 'dev', uplink);
  run('ip', '-n', 'guest', 'address', 'add', `${network.ipv4.guest}/30`, 'dev', 'eth0');
  run('ip', '-n', 'guest', 'route', 'add', 'default', 'via', network.ipv4.gateway);
  run('ip', '-n', 'world', 'address', 'add', '192.0.2.1/24', 'dev', 'eth1');
  run('ip', '-n', 'world', 'address', 'add', `${world}/32`, 'dev', 'eth1');
  // The bare forward translates nothing: the world knows the way back.
  run('ip', '-n', 'world', 'route', 'add', '10.200.0.0/16', 'via', '192.0.2.10');
  run('ip', 'route', 'add', 'default', 'via', '192.0.2.1');
  run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
}

/** The last line that a process says. */
function said(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve(text.trim()) : reject(new Error(`blast: exit ${code}`)),
    );
  });
}

const start = (netns: string, ...parameters: string[]) =>
  spawn('ip', ['netns', 'exec', netns, process.execPath, blaster, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** Octets per second, at the receiver. */
async function blast(): Promise<number> {
  const receiver = start('world', 'receive', world);
  const heard = said(receiver);
  await new Promise((resolve) => setTimeout(resolve, 400));
  await said(start('guest', 'send', world));
  return Number(await heard);
}

export async function throughputPart(): Promise<Part> {
  lay();
  const netfilter = new NetlinkSession(NETLINK_NETFILTER);
  const nft = new NftSession(netfilter);
  const [theirs, ours, shares]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const bare = await blast();
    nft.run(openPod(contractPod));
    nft.run(openSandbox(contractPod, network, policy));
    const ruled = await blast();
    nft.run(closePod());
    theirs?.push(bare);
    ours?.push(ruled);
    shares?.push(ruled / bare);
  }
  netfilter.close();
  const measurement = (name: string, values: number[] = []) => ({
    name,
    unit: 'octets',
    perSecond: median(values),
    rounds: [...values].sort((a, b) => a - b),
  });
  const percent = (value: number) => `${(value * 100).toFixed(0)} %`;
  const all = shares ?? [];
  return {
    measurements: [
      { ...measurement('TCP through the rules', ours), leads: true },
      measurement('  a bare forward', theirs),
    ],
    notes: [
      `TCP through the rules against a bare forward, pair by pair: ${percent(median(all))} in the median, from ${percent(Math.min(...all))} to ${percent(Math.max(...all))}`,
    ],
  };
}
