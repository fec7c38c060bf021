/**
 * Connects to an agent, with Firecracker's greeting where it takes one.
 * Invariant: who is not there is told apart from who does not let us in; nothing waits beyond its deadline.
 */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SyscallError } from '#reference/base/syscalls.ts';
import { type Endpoint, endpointText } from './endpoint.ts';
import { Unreachable } from './unreachable.ts';
import { connectVsock } from './vsock-stream.ts';

const maxGreetingOctets = 64;

/** @throws Unreachable */
export async function openEndpoint(endpoint: Endpoint, timeoutMs: number): Promise<Duplex> {
  if (endpoint.kind === 'vsock') return openVsock(endpoint);
  const socket = await openSocket(endpoint, timeoutMs);
  if (endpoint.kind === 'fc') await greet(socket, endpoint, timeoutMs);
  return socket;
}

const reasons: Readonly<Record<string, readonly [string, string]>> = {
  ENOENT: ['there is no such socket', 'start the guest, or name the socket of its agent with --agent'],
  ECONNREFUSED: ['nobody listens there', 'start the guest again: the socket is what a dead one left'],
  ENOTSOCK: ['it is no socket', 'name the socket of the agent with --agent'],
  EACCES: ['it is not allowed', 'run as the user whose socket it is'],
  EPERM: ['it is not allowed', 'run as the user whose socket it is'],
  EADDRNOTAVAIL: [
    'this machine has no vsock',
    'modprobe vhost_vsock; for this machine itself, vsock_loopback',
  ],
  EAFNOSUPPORT: ['this kernel knows no vsock', 'modprobe vsock; or give the unix socket: unix: or fc:'],
  ENODEV: ['no guest has that CID', 'name the CID of a guest that runs'],
  ECONNRESET: ['nobody listens on that port', 'start the agent; its ports are 1024 and 1025'],
  ETIMEDOUT: ['the guest does not answer', 'is it running? A stopped one takes no connection'],
};

function unreachable(endpoint: Endpoint, error: unknown): Unreachable {
  const code = (error as { code?: string }).code ?? String(error);
  const [reason, give] = reasons[code] ?? ['it cannot be connected to', 'see that the guest runs'];
  return new Unreachable(`${endpointText(endpoint)}: ${reason} (${code})`, give);
}

function openVsock(endpoint: Extract<Endpoint, { kind: 'vsock' }>): Duplex {
  try {
    return connectVsock(endpoint.cid, endpoint.port);
  } catch (error) {
    if (error instanceof SyscallError) throw unreachable(endpoint, error);
    throw error;
  }
}

function openSocket(endpoint: Extract<Endpoint, { path: string }>, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(endpoint.path);
    const timer = setTimeout(() => fail({ code: 'ETIMEDOUT' }), timeoutMs);
    const fail = (error: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(unreachable(endpoint, error));
    };
    socket.once('error', fail).once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      // How it ends is told by its closing.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

/** `CONNECT PORT` and `OK PORT`; what comes behind it is the guest's. */
function greet(
  socket: Socket,
  endpoint: Extract<Endpoint, { kind: 'fc' }>,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let greeting = Buffer.alloc(0);
    const end = (why: string | null) => {
      clearTimeout(timer);
      socket.off('data', take).off('close', closed).pause();
      if (why === null) return resolve();
      socket.destroy();
      const give = 'does the agent listen on that port of the guest? Is it a socket of Firecracker?';
      reject(new Unreachable(`${endpointText(endpoint)}: ${why}`, give));
    };
    const closed = () => end('Firecracker closed the connection: nobody listens on that port');
    const timer = setTimeout(() => end(`no OK to CONNECT within ${timeoutMs} ms`), timeoutMs);
    const take = (octets: Buffer) => {
      greeting = Buffer.concat([greeting, octets]);
      const newline = greeting.indexOf(10);
      if (newline < 0 && greeting.length < maxGreetingOctets) return;
      if (!/^OK \d+$/.test(greeting.subarray(0, newline).toString('latin1'))) {
        return end(`no OK to CONNECT but ${greeting.subarray(0, maxGreetingOctets).toString('hex')}`);
      }
      end(null);
      const rest = greeting.subarray(newline + 1);
      if (rest.length > 0) socket.unshift(rest);
    };
    socket.on('data', take).once('close', closed);
    socket.write(`CONNECT ${endpoint.port}\n`);
  });
}
