/**
 * The guest that the VMM's contract speaks of, on vsock: what a real Firecracker is held to the contract with. With
 * `vsock=loopback` on the kernel's command line its vsock is its own, carried by a relay, and its VMM is QEMU.
 * Invariant: answers one line after the other on each port, and ends the machine when it fails.
 */
import { readFileSync } from 'node:fs';
import { close, ioctl, open } from '#reference/base/syscalls.ts';
import { type ChannelName, channelNames, channelPorts } from '#reference/contract/guest-protocol.ts';
import { earlyInit } from '#reference/guest/early-init.ts';
import { exitAtOnce } from '#reference/guest/exit-at-once.ts';
import { kernelFacts } from '#reference/guest/kernel-facts.ts';
import { LineReader } from '#reference/guest/line-reader.ts';
import { findPort } from '#reference/guest/port-channel.ts';
import { systemCalls } from '#reference/guest/system-calls.ts';
import { hostCid, loopbackCid, VsockPort } from '#reference/guest/vsock-port.ts';
import { relay } from './vsock-relay.ts';

const maxLineOctets = 4_096;
const O_RDWR_CLOEXEC = 0x80002;
const RNDRESEEDCRNG = 0x5207;
let kept = 'nothing';

function fail(error: unknown): never {
  process.stderr.write(`contract: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(70);
}

function reseed(): string {
  const fd = open('/dev/urandom', O_RDWR_CLOEXEC);
  try {
    ioctl(fd, RNDRESEEDCRNG, Buffer.alloc(8));
    return 'ok';
  } finally {
    close(fd);
  }
}

function answerOf(line: string): string {
  const [word = '', rest = ''] = line.split(/ (.*)/);
  switch (word) {
    case 'ping':
      return 'pong';
    case 'print':
      process.stderr.write(`${rest}\n`);
      return 'ok';
    case 'remember':
      kept = rest;
      return 'ok';
    case 'recall':
      return kept;
    case 'reseed':
      return reseed();
    case 'symbol':
      return kernelFacts().generator_symbol ?? 'none';
    case 'release':
      return kernelFacts().kernel_release;
    case 'die':
      return process.exit(0);
    default:
      return `no such word: ${word}`;
  }
}

async function serve(name: ChannelName, peerCid: number): Promise<void> {
  const port = new VsockPort(channelPorts[name], peerCid);
  const reader = new LineReader(maxLineOctets);
  const say = (line: string) => port.send(Buffer.from(`${line}\n`));
  await port.serve({
    octets: async (chunk) => {
      for (const line of reader.push(chunk)) {
        if (line !== null) await say(name === 'services' ? `services ${line}` : answerOf(line));
      }
    },
    gone: () => reader.reset(),
  });
}

exitAtOnce();
process.on('uncaughtException', fail);
earlyInit(systemCalls);
const isLoopback = readFileSync('/proc/cmdline', 'utf8').includes('vsock=loopback');
for (const name of ['control', 'services'] as const) {
  if (isLoopback) relay(findPort(channelNames[name]), channelPorts[name]).catch(fail);
  serve(name, isLoopback ? loopbackCid : hostCid).catch(fail);
}
