/** A husk in a process of its own, on the fake VMM, that has its template and its store from the node socket. */
import { createInterface } from 'node:readline';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { Husk } from '#reference/husk/husk.ts';
import { takeTemplate } from '#reference/husk/node-templates.ts';
import { NodeWitnesses } from '#reference/husk/node-witnesses.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { engineGuest } from './engine-guest.ts';
import { FakeHuskNetwork, network, pod } from './fake-husk-network.ts';
import type { HuskOrders } from './node-ground.ts';

const { address, snapshot: digest, lie, ownStore } = JSON.parse(process.argv[2] ?? '') as HuskOrders;
const say = (what: string) => process.stdout.write(`${what}\n`);
const log = openLog('husk', 'silent');
const guest = engineGuest();
guest.lies.push(lie);
const vmm = new FakeVmm(guest.program);
const store = ownStore === null ? new NodeWitnesses(address) : await WitnessStore.open(ownStore, log);
const activation = new Activation(store, log, { deadlineMs: 20_000, requireWitness: false });
const around = new FakeHuskNetwork(guest.asked);
const [datapath, dns] = [around.datapath(), around.dns()];
const husk = new Husk(network, { vmm, activation, datapath, dns, pod, log });
try {
  await husk.prepare(await takeTemplate(address, { vmm, digest, deadlineMs: 20_000 }));
  say('dormant');
  for await (const _line of createInterface({ input: process.stdin })) {
    await husk.activate({ policy: { egress: 'deny', allow: [], inbound: [] }, secrets: [] });
    say('active');
  }
} catch (error) {
  const said = error instanceof CodedError ? `${error.code}: ${error.message}` : String(error);
  say(`${said} | ${[...around.left(), ...guest.asked.filter((one) => one === 'release')].join(', ')}`);
}
