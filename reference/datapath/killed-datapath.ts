/**
 * A datapath that is killed at its n-th conversation with the kernel: `killed-datapath.ts N`, for a test. What it
 * opened is held by another process, as a VMM would hold it.
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { contractPod, mixedPolicy, sampleNetwork, widePolicy } from '../decisions/ruleset/ruleset-samples.ts';
import { Datapath } from './datapath.ts';
import { frameOf } from './guest-frames.ts';
import { NetlinkSession } from './netlink.ts';

const killAt = Number(process.argv[2]);
let conversations = 0;

/** Before and after each: what the kernel did is done whole, whoever hears of it. */
function dieInTime(): void {
  conversations += 1;
  if (conversations === killAt) process.kill(process.pid, 'SIGKILL');
}

const { send, dump } = NetlinkSession.prototype;
NetlinkSession.prototype.send = function (...parameters) {
  dieInTime();
  const result = send.apply(this, parameters);
  dieInTime();
  return result;
};
NetlinkSession.prototype.dump = function (...parameters) {
  dieInTime();
  return dump.apply(this, parameters);
};

const datapath = new Datapath(contractPod);
for (const number of [0, 1]) {
  const network = sampleNetwork(number);
  const { fd } = datapath.open(network, number === 0 ? widePolicy : { ...widePolicy, inbound: [] });
  const holder = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd], detached: true });
  writeSync(1, `${holder.pid}\n`);
  const pin = { tap: network.tap, address: '8.8.8.8', protocol: 'udp', port: 53, timeoutMs: 60_000 } as const;
  datapath.addPins([pin]);
  const { tapMac, guestMac } = network;
  const to = { destination: '8.8.8.8', protocol: 'udp', sourcePort: 5_000, destinationPort: 53 } as const;
  writeSync(fd, frameOf({ ...to, tapMac, guestMac, source: network.ipv4.guest }));
}
datapath.close('tap-1');
datapath.change('tap-0', mixedPolicy);
datapath.change('tap-0', widePolicy);
datapath.close('tap-0');
process.exit(0);
