/**
 * In a network namespace that stands for the machine: an engine gives a guest a network, and the guest tries what it
 * may and what it may not. Says what came of it as a line of JSON.
 */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { labEngine, labTemplate, said } from './lab-engine.ts';

const [folder = '', accelerator = 'tcg'] = process.argv.slice(2);
const ip = (...parameters: string[]) => execFileSync('ip', parameters);

/** Beyond the machine, by a link of its own: what a policy may allow. */
const [world, elsewhere] = ['203.0.113.1', '203.0.113.9'];
ip('link', 'set', 'lo', 'up');
ip('link', 'add', 'world', 'type', 'veth', 'peer', 'name', 'far');
ip('netns', 'add', 'world');
ip('link', 'set', 'far', 'netns', 'world');
ip('address', 'add', '203.0.113.2/24', 'dev', 'world');
ip('link', 'set', 'world', 'up');
for (const command of [
  `address add ${world}/24 dev far`,
  `address add ${elsewhere}/24 dev far`,
  'link set lo up',
  'link set far up',
]) {
  ip('-n', 'world', ...command.split(' '));
}
execFileSync('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
const answer = `require("net").createServer((s)=>s.end("reached "+(s.remoteAddress||""))).listen(8080,"0.0.0.0",()=>console.log("up"))`;
const { spawn } = await import('node:child_process');
const far = spawn('ip', ['netns', 'exec', 'world', process.execPath, '-e', answer], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await new Promise((resolve) => far.stdout.once('data', resolve));
const own = createServer((socket) => socket.end('reached the machine'));
await new Promise<void>((resolve) => own.listen(8080, '0.0.0.0', resolve));

const engine = await labEngine(folder, accelerator as Accelerator, 'required');
try {
  const { id } = await engine.buildTemplate(await labTemplate());
  const policy = (allow: string[]) => ({ egress: 'deny' as const, allow, inbound: [] });
  const open = await engine.fork({ template: id, network: policy([`${world}/32:8080`]), secrets: [] });
  const closed = await engine.fork({ template: id, network: policy([]), secrets: [] });
  const none = await engine.fork({ template: id, network: null, secrets: [] });
  const dial = (sandbox: string, address: string) =>
    said(
      engine,
      sandbox,
      ...['node', '-e'],
      `const s=require("net").connect(8080,"${address}");s.setTimeout(4000,()=>{console.log("nothing");s.destroy()});s.on("data",(d)=>console.log(String(d)));s.on("error",(e)=>console.log(e.code))`,
    );
  const found = {
    allowed: await dial(open.id, world),
    notAllowed: await dial(open.id, elsewhere),
    closed: await dial(closed.id, world),
    none: await dial(none.id, world),
    machineByUplink: await dial(open.id, '198.18.0.1'),
    machineByLink: await dial(open.id, '203.0.113.2'),
    gateway: await dial(open.id, '198.19.255.1'),
    allowedAgain: await dial(open.id, world),
  };
  const [child] = await engine.forkSandbox(closed.id, { replicas: 1, allowSecretInheritance: false });
  const afterFork = { source: await dial(closed.id, world), child: await dial(child?.id ?? '', world) };
  const links = () => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' }).match(/^mitos-\d+/gm) ?? [];
  const during = links().length;
  for (const { id: each } of engine.sandboxes()) await engine.terminate(each);
  process.stdout.write(`${JSON.stringify({ ...found, afterFork, during, left: links() })}\n`);
} finally {
  await engine.close();
  own.close();
  far.kill();
  ip('netns', 'delete', 'world');
}
process.exit(0);
