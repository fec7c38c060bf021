/**
 * The process of a husk on the fake VMM, beside a datapath and a resolver that are fakes too; the wiring, the control
 * and the end are those of reference/main/husk.ts. Says at the end what is left.
 */
import { openLog } from '#reference/base/log.ts';
import { failProcess, signalled } from '#reference/main/process.ts';
import { serveHusk, untilOver } from '#reference/main/serve-husk.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { engineGuest, type Lie } from './engine-guest.ts';
import { FakeHuskNetwork, network, pod } from './fake-husk-network.ts';
import { addressIn } from './node-ground.ts';

const [folder = '', name = '', lie = 'none'] = process.argv.slice(2);
const over = signalled();
const guest = engineGuest();
guest.lies.push(lie as Lie);
const vmm = new FakeVmm(guest.program);
const around = new FakeHuskNetwork(guest.asked);
const datapath = { ...around.datapath(), shutDown: () => undefined };
const config = {
  node: addressIn(folder),
  pod: { ...pod, uplink: 'eth0', masqueradePorts: [61_000, 65_000] as [number, number], maxPins: 16 },
  sandbox: network,
};

async function run(): Promise<void> {
  const times = { gateMs: 2_000, templateMs: 600_000 };
  const options = { config, control: { path: `${folder}/${name}.sock` }, log: openLog('husk', 'debug') };
  const served = await serveHusk({ ...options, ...times }, { vmm, datapath, dns: around.dns() });
  try {
    await untilOver(served, over);
  } finally {
    const vms = vmm.live === 0 ? [] : [`${vmm.live} VMs`];
    process.stdout.write(`${JSON.stringify({ left: [...around.left(), ...vms] })}\n`);
  }
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('husk', error),
);
