/** Set-up beyond a bare tap, from the first sandbox to the 500th; cut-off; the end of all; one nft process each. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { close } from '#reference/base/syscalls.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { layGround, run, strangers } from '#reference/datapath/kernel-ground.ts';
import { createTap } from '#reference/datapath/link.ts';
import { NETLINK_NETFILTER, NetlinkSession } from '#reference/datapath/netlink.ts';
import { NftSession } from '#reference/datapath/nf-tables/nft-session.ts';
import { openPod, openSandbox } from '#reference/decisions/ruleset/ruleset.ts';
import { contractPod, mixedPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import { median, ms, type Part, quantile, rate, timed } from './figures.ts';

const sandboxes = 500;
const edge = 50;
const peers = 60;
const policy = { ...mixedPolicy, inbound: [] };

const kernelKib = (field: string) =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0);

function bareTap(): number {
  const { took, result } = timed(() => createTap('bare'));
  close(result);
  return took;
}

export async function sandboxesPart(): Promise<Part> {
  layGround();
  const datapath = new Datapath(contractPod);
  const chainsBefore = baseChains();
  const rulesetBefore = run('nft', 'list', 'ruleset');
  const [slabBefore, rssBefore] = [kernelKib('Slab'), process.memoryUsage.rss()];
  const fds: number[] = [];
  const [opens, bare]: number[][] = [[], []];
  // What runs for the first time is compiled then.
  for (let index = 0; index < 20; index++) {
    const { fd } = datapath.open(sampleNetwork(index), policy);
    datapath.close(`tap-${index}`);
    close(fd);
    bareTap();
  }
  for (let index = 0; index < sandboxes; index++) {
    if (index % 5 === 0) bare?.push(bareTap());
    const { took, result } = timed(() => datapath.open(sampleNetwork(index), policy));
    opens?.push(took);
    fds.push(result.fd);
  }
  const [slab, rss] = [kernelKib('Slab') - slabBefore, process.memoryUsage.rss() - rssBefore];
  const chains = baseChains();
  const ended = await end(datapath, fds);
  const isBack = run('nft', 'list', 'ruleset') === rulesetBefore && strangers().length === 0;
  datapath.shutDown();
  const beyond = (from: number, to: number) =>
    median((opens ?? []).slice(from, to)) - median((bare ?? []).slice(Math.floor(from / 5), to / 5));
  const [first, last] = [beyond(0, edge), beyond(sandboxes - edge, sandboxes)];
  const { ours, theirs } = againstProcesses();
  return {
    measurements: [
      rate('a sandbox’s rules, in the process', 'transactions', ours, { leads: true }),
      rate('  one nft process each', 'transactions', theirs),
      rate('set-up of a sandbox', 'sandboxes', opens?.slice(0, edge) ?? [], { leads: true }),
      rate('  a bare tap', 'taps', bare ?? []),
    ],
    notes: [
      `set-up beyond a bare tap: ${ms(first)} for the first ${edge}, ${ms(last)} for the last ${edge} of ${sandboxes} (${((last / first - 1) * 100).toFixed(0)} %); a bare tap ${ms(median(bare ?? []))}`,
      ...ended,
      `base chains: ${chainsBefore} without a sandbox, ${chains} with ${sandboxes} (ingress chains left out); ${isBack ? 'back to the start afterwards' : 'NOT back to the start afterwards'}`,
      `memory of a sandbox: ${(slab / sandboxes).toFixed(0)} KiB in the kernel (Slab), ${(rss / 1_024 / sandboxes).toFixed(1)} KiB in the process`,
    ],
  };
}

const baseChains = () =>
  (run('nft', 'list', 'table', 'inet', 'mitos').match(/\btype (filter|nat) hook/g) ?? []).length;

/** Half is cut off one by one and reaped in the background while the event loop is watched, half ends at once. */
async function end(datapath: Datapath, fds: readonly number[]): Promise<string[]> {
  const cut: number[] = [];
  let [last, pause] = [performance.now(), 0];
  const watch = setInterval(() => {
    pause = Math.max(pause, performance.now() - last);
    last = performance.now();
  }, 1);
  const closing: Promise<void>[] = [];
  const start = performance.now();
  for (let index = 0; index < sandboxes; index++) {
    let closed: Promise<void> = Promise.resolve();
    cut.push(timed(() => (closed = datapath.closeInBackground(`tap-${index}`))).took);
    closing.push(closed);
    if (index % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(closing);
  const whole = performance.now() - start;
  clearInterval(watch);
  for (const fd of fds) close(fd);
  return [
    `cut off: ${ms(median(cut))} in the median, ${ms(quantile(cut, 0.99))} p99, ${ms(Math.max(...cut))} at most, ${sandboxes} one after another`,
    `nothing of ${sandboxes} left ${ms(whole)} after the first call: ${ms(whole / sandboxes)} each; the event loop stood still for ${ms(pause)} at most`,
  ];
}

/** The same transactions on the same devices; each begins with the pod alone. */
function againstProcesses(): { ours: number[]; theirs: number[] } {
  const taps = Array.from({ length: peers }, (_, index) => createTap(`tap-${index}`));
  const netfilter = new NetlinkSession(NETLINK_NETFILTER);
  const nft = new NftSession(netfilter);
  const transactions = taps.map((_, index) => openSandbox(contractPod, sampleNetwork(index), policy));
  nft.run(openPod(contractPod));
  const ours = transactions.map((transaction) => timed(() => nft.run(transaction)).took);
  nft.run(openPod(contractPod));
  const folder = makeLabFolder('bench');
  const path = join(folder, 'transaction.json');
  const theirs = transactions.map((transaction) => {
    writeFileSync(path, JSON.stringify(transaction));
    const { took, result } = timed(() => spawnSync('nft', ['-j', '-f', path]));
    if (result.status !== 0) throw new Error(`nft: ${result.stderr.toString()}`);
    return took;
  });
  removeLabFolder(folder);
  netfilter.close();
  for (const fd of taps) close(fd);
  run('nft', 'flush', 'ruleset');
  return { ours, theirs };
}
