/** The process of the sandbox server: flags → wiring → run. Ends with SIGTERM, and its sandboxes with it. */
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import { accelerators, cgroupModes, networkModes } from './open-engine.ts';
import { badFlag, failProcess, numberOf, oneOf, readFlags, signalled } from './process.ts';
import { serveSandboxes } from './serve-sandboxes.ts';

const help = `Usage: node reference/main/sandbox-server.ts [flags]

Sandboxes behind HTTP on loopback, for whoever has the bearer token that it writes to FOLDER/token.

  --folder PATH            templates, witnesses, journal, token: made with mode 0700
  --kernel PATH  --kernel-sha256 HEX      what guests boot from; opened only when the digest is right
  --initrd PATH  --initrd-sha256 HEX
  --command-line TEXT      of the kernel
  --storage-key FILE       encrypts templates on the disk with the key in it: 32 octets or 64 hexadecimal digits,
                           in a file of mode 0600, or fd:N for a descriptor
  --accelerator NAME       ${accelerators.join(', ')} (tcg)
  --rootfs-folder PATH     folders in it can be put over the initrd, by name
  --volumes PATH           images in it (regular files) can be given to sandboxes as volumes, by name
  --host ADDR  --port N    loopback only (127.0.0.1, 7070)
  --max-vms N              prepared ones and builds included (128)
  --max-state-mib N        of the disk, for templates and what guests may write to private volumes (65536)
  --boot-seconds N         until a template's agent answers (90); to freeze, any guest has 2/9 of it
  --gate-seconds N         of each leg of the gate (5)
  --cgroups MODE           ${cgroupModes.join(', ')} (auto): a cgroup (version 2) for each VM, below this process's own
  --network MODE        ${networkModes.join(', ')} (auto): a namespace, datapath and resolver for each sandbox; needs root
  --log-level LEVEL        ${logLevels.join(', ')}

Examples:
  node reference/main/sandbox-server.ts --folder /var/lib/mitos/sandboxes --kernel vmlinuz --kernel-sha256 HEX \\
    --initrd initrd --initrd-sha256 HEX
  pnpm sandbox serve       # the same with a kernel and an initrd of Debian's packages, held to their digests
`;

const options = {
  folder: { type: 'string' },
  kernel: { type: 'string' },
  'kernel-sha256': { type: 'string' },
  initrd: { type: 'string' },
  'initrd-sha256': { type: 'string' },
  'command-line': { type: 'string', default: 'console=ttyS0 quiet panic=-1' },
  'storage-key': { type: 'string' },
  accelerator: { type: 'string', default: 'tcg' },
  'rootfs-folder': { type: 'string' },
  volumes: { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '7070' },
  'max-vms': { type: 'string', default: '128' },
  'max-state-mib': { type: 'string', default: '65536' },
  cgroups: { type: 'string', default: 'auto' },
  'boot-seconds': { type: 'string', default: '90' },
  'gate-seconds': { type: 'string', default: '5' },
  network: { type: 'string', default: 'auto' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', default: false },
} as const;

function needed(
  flags: ReturnType<typeof readFlags<typeof options>>,
  name: 'folder' | 'kernel' | 'kernel-sha256' | 'initrd' | 'initrd-sha256',
): string {
  const value = flags[name];
  if (value === undefined) throw badFlag(`--${name} is missing`);
  return value;
}

function digestIn(
  flags: ReturnType<typeof readFlags<typeof options>>,
  name: 'kernel-sha256' | 'initrd-sha256',
) {
  const text = needed(flags, name);
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return text;
  throw badFlag(`--${name} ${text.slice(0, 80)}: it is no SHA-256 of 64 hex digits`);
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  const level: LogLevel = oneOf('log-level', flags['log-level'], logLevels);
  const served = await serveSandboxes({
    folder: needed(flags, 'folder'),
    accelerator: oneOf('accelerator', flags.accelerator, accelerators),
    images: {
      default: {
        kernel: { path: needed(flags, 'kernel'), sha256: digestIn(flags, 'kernel-sha256') },
        initrd: { path: needed(flags, 'initrd'), sha256: digestIn(flags, 'initrd-sha256') },
        commandLine: flags['command-line'],
      },
    },
    rootfsFolder: flags['rootfs-folder'] ?? null,
    volumesFolder: flags.volumes ?? null,
    host: flags.host,
    port: numberOf('port', flags.port, 65_535),
    maxVms: numberOf('max-vms', flags['max-vms'], 4_096),
    maxStateMiB: numberOf('max-state-mib', flags['max-state-mib'], 1 << 30),
    cgroups: oneOf('cgroups', flags.cgroups, cgroupModes),
    bootSeconds: numberOf('boot-seconds', flags['boot-seconds'], 3_600, 1),
    gateSeconds: numberOf('gate-seconds', flags['gate-seconds'], 600, 1),
    network: oneOf('network', flags.network, networkModes),
    log: openLog('sandbox-server', level),
    ...(flags['storage-key'] === undefined ? {} : { storageKeyFile: flags['storage-key'] }),
  });
  process.stdout.write(`${JSON.stringify({ url: served.url, tokenFile: served.tokenFile })}\n`);
  await signalled();
  await served.close();
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('sandbox-server', error),
);
