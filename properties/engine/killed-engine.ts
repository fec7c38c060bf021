/** An engine that does one of everything, on the fake VMM, and says what it has: killed by a test at each step. */
import { EngineGround, noSecrets } from './engine-ground.ts';

const [folder = ''] = process.argv.slice(2);
const say = (what: string) => process.stdout.write(`${what}\n`);
const ground = new EngineGround(folder);
const { forkd } = await ground.start();
const template = await forkd.buildTemplate(ground.spec());
say(`template ${template.id}`);
await forkd.keepReady(template.id, 1);
const sandbox = await forkd.fork({ template: template.id, ...noSecrets });
say('fork');
await forkd.forkSandbox(sandbox.id, { replicas: 1, allowSecretInheritance: false });
say('live fork');
await forkd.terminate(sandbox.id);
const other = await forkd.buildTemplate(ground.spec({ commandLine: 'other' }));
say(`template ${other.id}`);
await forkd.removeTemplate(other.id);
say(`removed ${other.id}`);
await forkd.close();
say('closed');
