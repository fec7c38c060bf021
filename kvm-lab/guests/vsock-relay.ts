/**
 * In a guest without a host behind its vsock: carries the octets of a virtio-serial port to the agent's vsock port of
 * the machine itself (module vsock_loopback) and back, as Firecracker carries those of its socket.
 * Invariant: waits in no thread; a line `reset` of the host's own ends the connection and makes another, as a restore
 * does.
 */
import { constants, openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { close, connect, fcntl, recv, SyscallError, send, socket } from '#reference/base/syscalls.ts';
import { loopbackCid } from '#reference/guest/vsock-port.ts';

const AF_VSOCK = 40;
const SOCK_STREAM_CLOEXEC = 0x80001;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
const MSG_NOSIGNAL = 0x4000;
const retryMs = 2;
const bufferOctets = 65_536;
export const resetLine = 'reset\n';

/** @throws SyscallError ECONNRESET while nobody listens */
export function connectLoopback(port: number): number {
  const fd = socket(AF_VSOCK, SOCK_STREAM_CLOEXEC, 0);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_VSOCK, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(loopbackCid, 8);
  try {
    connect(fd, address);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

async function connected(port: number): Promise<number> {
  for (;;) {
    try {
      return connectLoopback(port);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      await pause(retryMs);
    }
  }
}

/** Octets; 0: nothing yet. */
function now(act: () => number): number {
  try {
    return act();
  } catch (error) {
    const code = (error as { readonly code?: string }).code ?? '';
    if (['EAGAIN', 'ECONNRESET', 'EPIPE'].includes(code)) return 0;
    throw error;
  }
}

async function whole(octets: Buffer, some: (rest: Buffer) => number): Promise<void> {
  for (let at = 0; at < octets.length; ) {
    const written = now(() => some(octets.subarray(at)));
    at += written;
    if (written === 0) await pause(retryMs);
  }
}

/** For as long as the machine runs. @param device of the virtio-serial port */
export async function relay(device: string, port: number): Promise<never> {
  const host = openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(bufferOctets);
  let agent = await connected(port);
  for (;;) {
    const down = now(() => readSync(host, buffer, 0, bufferOctets, null));
    const said = Buffer.from(buffer.subarray(0, down));
    if (said.toString('latin1') === resetLine) {
      close(agent);
      agent = await connected(port);
    } else await whole(said, (rest) => send(agent, rest, MSG_NOSIGNAL));
    const up = now(() => recv(agent, buffer));
    await whole(Buffer.from(buffer.subarray(0, up)), (rest) => writeSync(host, rest));
    if (down + up === 0) await pause(retryMs);
  }
}
