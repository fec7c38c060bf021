/** A process that has microVMs until it is killed: run by qemu-life.vm.test.ts. Prints the pids of their monitors. */
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { contractBoot } from './contract-guest.ts';

const vmm = await openQemu('tcg');
const { spec } = await contractBoot();
const [template, other] = await Promise.all([vmm.boot(spec), vmm.boot(spec)]);
process.stdout.write(`${template.pid} ${other.pid}\n`);
setInterval(() => undefined, 60_000);
