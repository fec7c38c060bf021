/** A process that has a Firecracker behind a datapath until it is killed, for a test. Prints the pid of the VMM. */
import { writeSync } from 'node:fs';
import { Datapath } from '#reference/datapath/datapath.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { factsOf, Talk } from '#reference/vmm/contract-talk.ts';
import { bootSpec, machine, openStandIn } from '#reference/vmm/firecracker/confined-ground.ts';

const [, , runFolder = ''] = process.argv;
const network = sampleNetwork(1);
const vmm = await openStandIn(runFolder);
const spec = { ...(await bootSpec()), machine: { ...machine, guestMac: network.guestMac } };
const template = await vmm.boot(spec);
const snapshot = await template.save(await factsOf(new Talk(template)));
const { fd } = new Datapath(contractPod).open(network, narrowPolicy);
const vm = await (await vmm.prepare(snapshot, { tapFd: fd })).resume();
writeSync(1, `${vm.pid}\n`);
setInterval(() => undefined, 60_000);
