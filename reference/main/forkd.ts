/**
 * The process of a node's fork engine: flags → wiring → run. Takes away what a killed one left, builds the templates of
 * a file, keeps forks of them prepared; ends with SIGTERM, and its VMs with it.
 */
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import type { NodePeer, NodeSocketOptions } from '../forkd/node-socket.ts';
import { accelerators, cgroupModes, networkModes, openEngine } from './open-engine.ts';
import { badFlag, failProcess, numberOf, oneOf, readFlags, signalled } from './process.ts';
import { readWantedTemplates } from './wanted-templates.ts';

const help = `Usage: node reference/main/forkd.ts --folder PATH [flags]

Builds templates and keeps forks of them prepared. Says each on stdout, a line of JSON each, then {"ready":true}.

  --folder PATH         templates, witnesses, journal: made with mode 0700
  --templates FILE      JSON: [{"spec": {kernel, initrd, commandLine, rootfs, memoryMiB, cpus, init,
                        allowProcesses, volumes}, "ready": N, "rehearsed": true or false}]
  --node-socket PATH    hands templates to the husks of this node, and keeps their witnesses
  --husk UID:GID        a user whose husks are heard there; any number of them
  --storage-key FILE    encrypts templates on the disk with the key in it: 32 octets or 64 hexadecimal digits, in a
                        file of mode 0600, or fd:N for a descriptor
  --accelerator NAME    ${accelerators.join(', ')} (tcg)
  --max-vms N           prepared ones and builds included (128)
  --max-templates N     (16)
  --max-state-mib N     of the disk, for templates and private volumes (65536)
  --boot-seconds N      until a template's agent answers (90); to freeze, any guest has 2/9 of it
  --gate-seconds N      of each leg of the gate (5)
  --cgroups MODE        ${cgroupModes.join(', ')} (auto): a cgroup (version 2) for each VM, below this process's own
  --network MODE        ${networkModes.join(', ')} (auto): a namespace, datapath and resolver for each sandbox; needs root
  --log-level LEVEL     ${logLevels.join(', ')}

Examples:
  node reference/main/forkd.ts --folder /var/lib/mitos/forkd --templates templates.json
  node reference/main/forkd.ts --folder /var/lib/mitos/forkd --templates templates.json \\
    --node-socket /run/mitos/forkd.sock --husk 10001:10001 --storage-key fd:3 3< key
`;

const options = {
  folder: { type: 'string' },
  templates: { type: 'string' },
  'node-socket': { type: 'string' },
  husk: { type: 'string', multiple: true, default: [] as string[] },
  'storage-key': { type: 'string' },
  accelerator: { type: 'string', default: 'tcg' },
  'max-vms': { type: 'string', default: '128' },
  'max-templates': { type: 'string', default: '16' },
  'max-state-mib': { type: 'string', default: '65536' },
  cgroups: { type: 'string', default: 'auto' },
  'boot-seconds': { type: 'string', default: '90' },
  'gate-seconds': { type: 'string', default: '5' },
  network: { type: 'string', default: 'auto' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', default: false },
} as const;

function nodeSocketIn(path: string | undefined, husks: readonly string[]): NodeSocketOptions | null {
  if (path === undefined && husks.length === 0) return null;
  if (path === undefined) throw badFlag('--husk without --node-socket: nobody would hear it');
  if (husks.length === 0) throw badFlag('--node-socket without --husk: nobody would be heard');
  return { path, peers: husks.map(peerIn) };
}

function peerIn(text: string): NodePeer {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw badFlag(`--husk ${text}: it is no UID:GID`);
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  if (flags.folder === undefined) throw badFlag('--folder is missing');
  const level: LogLevel = oneOf('log-level', flags['log-level'], logLevels);
  const wanted = flags.templates === undefined ? [] : readWantedTemplates(flags.templates);
  const nodeSocket = nodeSocketIn(flags['node-socket'], flags.husk);
  const engine = await openEngine(
    {
      folder: flags.folder,
      accelerator: oneOf('accelerator', flags.accelerator, accelerators),
      network: oneOf('network', flags.network, networkModes),
      cgroups: oneOf('cgroups', flags.cgroups, cgroupModes),
      bootSeconds: numberOf('boot-seconds', flags['boot-seconds'], 3_600, 1),
      gateSeconds: numberOf('gate-seconds', flags['gate-seconds'], 600, 1),
      maxVms: numberOf('max-vms', flags['max-vms'], 4_096),
      maxStateMiB: numberOf('max-state-mib', flags['max-state-mib'], 1 << 30),
      ...(flags['storage-key'] === undefined ? {} : { storageKeyFile: flags['storage-key'] }),
      log: openLog('forkd', level),
    },
    {
      maxTemplates: numberOf('max-templates', flags['max-templates'], 256),
      ...(nodeSocket === null ? {} : { nodeSocket }),
    },
  );
  const over = signalled();
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  try {
    for (const { spec, ready, rehearsed } of wanted) {
      if (isOver) break;
      const template = await engine.buildTemplate(spec);
      await engine.keepReady(template.id, ready, rehearsed ?? false);
      process.stdout.write(`${JSON.stringify({ template, ready })}\n`);
    }
    if (!isOver) process.stdout.write('{"ready":true}\n');
    await over;
  } finally {
    await engine.close();
  }
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('forkd', error),
);
