/** A process with one active husk, until it is killed: its witnesses in the folder named. Prints the VMM's pid. */
import { policy } from '../providers/topology.ts';
import { QemuHuskGround } from './husk-ground.ts';

const [folder = ''] = process.argv.slice(2);
const ground = await QemuHuskGround.open(folder);
const husk = ground.husk();
await husk.prepare(ground.snapshot);
await husk.activate({ policy, secrets: [] });
process.stdout.write(`${JSON.stringify({ machines: ground.machines })}\n`);
setInterval(() => undefined, 60_000);
