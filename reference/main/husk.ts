/**
 * The process of one husk: flags → wiring → run. Takes away what a killed one left in its network namespace, listens
 * for who controls it, and ends when its VM has ended, when it is told to, or with SIGTERM.
 */
import type { ListeningPlace } from '#reference/base/line-server.ts';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import { passedDescriptor } from '#reference/base/passed-descriptor.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import { readHuskConfig } from './husk-config.ts';
import { openMachinery } from './husk-machinery.ts';
import { accelerators, cgroupModes } from './open-engine.ts';
import { badFlag, failProcess, numberOf, oneOf, readFlags, signalled } from './process.ts';
import { serveHusk, untilOver } from './serve-husk.ts';

const help = `Usage: node reference/main/husk.ts --config FILE --control PATH [flags]

Owns one VM: prepared of a template that forkd hands over, activated once, ended. It stands in the network namespace
that it is started in, with NET_ADMIN there and /dev/net/tun. Says {"ready":true} on stdout when it listens.

  --config FILE        JSON: {"node": {"path", "uid"}, "pod": {…}, "sandbox": {…}, "upstreams": ["ADDR[:PORT]"]}
                       node: the socket of forkd, and forkd's uid; templates and witnesses come from there alone
                       pod: uplink, denyCIDRs, nat64Prefixes, pinPrivateCIDRs, masqueradePorts, maxPins
                       sandbox: tap, tapMac, guestMac (the template's), ipv4, ipv6 (or null): guest, gateway, resolver
                       upstreams: DNS servers; without it, those of /etc/resolv.conf
  --control PATH       a unix socket, made with mode 0600, for processes of the same user and group; or fd:N, a
                       descriptor of one that listens
  --accelerator NAME   ${accelerators.join(', ')} (tcg): as forkd's
  --gate-seconds N     of each leg of the gate (5)
  --template-seconds N until forkd has handed a template over (120)
  --cgroups MODE       ${cgroupModes.join(', ')} (auto): a cgroup (version 2) for the VM, below this process's own
  --log-level LEVEL    ${logLevels.join(', ')}

A line of JSON is asked on the control socket, a line answered:
  {"v":1,"ask":"prepare","snapshot":"<digest of its manifest>"}
  {"v":1,"ask":"activate","policy":{"egress":"deny","allow":["example.com:443"],"inbound":[]},"secrets":[]}
  {"v":1,"ask":"change-policy","policy":{…}}    {"v":1,"ask":"status"}    {"v":1,"ask":"terminate"}

Examples:
  node reference/main/husk.ts --config husk.json --control /run/mitos/husk.sock
  echo '{"v":1,"ask":"status"}' | socat - UNIX-CONNECT:/run/mitos/husk.sock
`;

const options = {
  config: { type: 'string' },
  control: { type: 'string' },
  accelerator: { type: 'string', default: 'tcg' },
  'gate-seconds': { type: 'string', default: '5' },
  'template-seconds': { type: 'string', default: '120' },
  cgroups: { type: 'string', default: 'auto' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', default: false },
} as const;

function placeIn(text: string): ListeningPlace {
  try {
    const fd = passedDescriptor(text);
    return fd === null ? { path: text } : { fd };
  } catch (cause) {
    if (cause instanceof SyscallError)
      throw badFlag(`--control ${text}: this process was not given it`, cause);
    throw cause;
  }
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  if (flags.config === undefined) throw badFlag('--config is missing');
  if (flags.control === undefined) throw badFlag('--control is missing');
  const over = signalled();
  const log = openLog('husk', oneOf<LogLevel>('log-level', flags['log-level'], logLevels));
  const config = readHuskConfig(flags.config);
  const accelerator = oneOf('accelerator', flags.accelerator, accelerators);
  const cgroups = oneOf('cgroups', flags.cgroups, cgroupModes);
  const served = await serveHusk(
    {
      config,
      control: placeIn(flags.control),
      gateMs: numberOf('gate-seconds', flags['gate-seconds'], 600, 1) * 1_000,
      templateMs: numberOf('template-seconds', flags['template-seconds'], 3_600, 1) * 1_000,
      log,
    },
    await openMachinery(config, accelerator, cgroups, log),
  );
  await untilOver(served, over);
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('husk', error),
);
