/** Enters a network namespace on a thread of its own, which ends afterwards, and reads what stands there. */
import { closeSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { readTopology } from '#kvm-lab/providers/netns/read-topology.ts';
import { checked, libc } from '#properties/oracles/netlink/libc.ts';
import { readRuleset } from '#properties/oracles/nft/netlink/read-ruleset.ts';

const cloneNewnet = 0x4000_0000;

const descriptor = openSync(String(workerData), 'r');
checked('setns', libc().setns(descriptor, cloneNewnet));
closeSync(descriptor);
parentPort?.postMessage({ ...readTopology(), ruleset: readRuleset() });
