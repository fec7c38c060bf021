/**
 * The reference agent on vsock ports of a guest: whole and unchanged, with vsock_loopback in place of a host's vsock.
 * On the console it says what becomes of a process of the guest that connects to a port that is for the host alone.
 * Invariant: no line of the agent's protocol is touched; its ports take this machine's own CID instead of the host's.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { close, recv, SyscallError, send } from '#reference/base/syscalls.ts';
import { channelNames, channelPorts } from '#reference/contract/guest-protocol.ts';
import { earlyInit } from '#reference/guest/early-init.ts';
import { runGuestAgent } from '#reference/guest/guest.ts';
import { findPort } from '#reference/guest/port-channel.ts';
import { systemCalls } from '#reference/guest/system-calls.ts';
import { VsockChannel } from '#reference/guest/vsock-channel.ts';
import { hostCid, loopbackCid, ownCid } from '#reference/guest/vsock-port.ts';
import { connectLoopback, relay } from './vsock-relay.ts';

const log = (sentence: string) => void process.stderr.write(`vsock-agent: ${sentence}\n`);
const MSG_NOSIGNAL = 0x4000;
const tries = 200;
const probes = { 'for the host': [2_001, hostCid], 'for anybody here': [2_002, loopbackCid] } as const;

function fail(error: unknown): never {
  log(error instanceof Error ? (error.stack ?? '') : String(error));
  process.exit(70);
}

/** What a process of the guest hears on a port that answers each line. */
async function heardOn(port: number): Promise<string> {
  const fd = connectLoopback(port);
  const buffer = Buffer.alloc(64);
  try {
    for (let time = 0; time < tries; time++) {
      try {
        if (time === 0) send(fd, Buffer.from('knock\n'), MSG_NOSIGNAL);
        const octets = recv(fd, buffer);
        return octets === 0 ? 'closed' : buffer.toString('latin1', 0, octets).trim();
      } catch (error) {
        if (!(error instanceof SyscallError)) throw error;
        if (error.code !== 'EAGAIN') return error.code;
        await pause(10);
      }
    }
    return 'nothing';
  } finally {
    close(fd);
  }
}

/** Beside the agent, before it is frozen. */
async function probe(): Promise<void> {
  let heardLines = 0;
  for (const [what, [port, peerCid]] of Object.entries(probes)) {
    const channel = new VsockChannel(port, peerCid);
    const served = channel.serve({
      line: (_line, answer) => {
        heardLines++;
        return answer({ heard: true });
      },
      disconnected: () => undefined,
    });
    log(`a port ${what}: ${await heardOn(port)}; lines heard: ${heardLines}`);
    channel.close();
    await served;
  }
  log(`own CID: ${ownCid()}`);
}

process.on('uncaughtException', fail);
earlyInit(systemCalls);
await probe().catch(fail);
for (const name of ['control', 'services'] as const) {
  relay(findPort(channelNames[name]), channelPorts[name]).catch(fail);
}
runGuestAgent({
  control: new VsockChannel(channelPorts.control, loopbackCid),
  services: new VsockChannel(channelPorts.services, loopbackCid),
  log,
}).then(() => process.exit(0), fail);
