/**
 * The process of the guest agent: PID 1 of a VM without flags; with them, an agent on unix sockets in namespaces of its
 * own. Ends the machine with it when it fails.
 */
import '../guest/runtime-flags.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { channelNames, channelPorts } from '#reference/contract/guest-protocol.ts';
import { earlyInit } from '../guest/early-init.ts';
import { runGuestAgent } from '../guest/guest.ts';
import { hostChannel } from '../guest/host-channel.ts';
import { SocketChannel } from '../guest/socket-channel.ts';
import { systemCalls } from '../guest/system-calls.ts';
import { failProcess, readFlags } from './process.ts';

const help = `Usage: node reference/main/guest-agent.ts [flags]

The agent of a guest: mounts what a system needs, reseeds after a fork, runs programs for the host.

  --control PATH    a unix socket to listen on, instead of the virtio-serial port ${channelNames.control}
  --services PATH   a unix socket to listen on, instead of the virtio-serial port ${channelNames.services}

Where there is no such port, and the VMM gives the guest a vsock, it listens on its ports ${channelPorts.control} and
${channelPorts.services}, for the host alone.

It has to be PID 1: it mounts, and takes away what has ended. Outside of a VM, give it namespaces of its own:
  unshare --pid --fork --mount --uts --net --cgroup node reference/main/guest-agent.ts --control … --services …
`;

const options = {
  control: { type: 'string' },
  services: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/** On the console. */
function log(sentence: string): void {
  process.stderr.write(`guest-agent: ${sentence}\n`);
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  if (process.pid !== 1) {
    const remedy = 'boot it as init, or run it under unshare --pid --fork as --help shows';
    throw new CodedError('not-pid-1', 'the guest agent is not PID 1', remedy);
  }
  earlyInit(systemCalls);
  const channel = (name: 'control' | 'services') => {
    const path = flags[name];
    return path === undefined ? hostChannel(name) : new SocketChannel(path);
  };
  await runGuestAgent({ control: channel('control'), services: channel('services'), log });
}

const fail = (error: unknown) => failProcess('guest-agent', error);

process.on('uncaughtException', fail);
run().then(() => process.exit(0), fail);
