/** Enters a network namespace on a thread of its own, which ends afterwards, and reads the ruleset there. */
import { closeSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { checked, libc } from '../../netlink/libc.ts';
import { readRuleset } from './read-ruleset.ts';

const cloneNewnet = 0x4000_0000;

const descriptor = openSync(String(workerData), 'r');
checked('setns', libc().setns(descriptor, cloneNewnet));
closeSync(descriptor);
parentPort?.postMessage(readRuleset());
