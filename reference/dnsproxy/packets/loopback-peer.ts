/** Somebody on loopback for tests of adapters: a UDP socket that keeps what it hears. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import type { PacketPeer } from './packet-io-contract.ts';

const patienceMs = 10_000;

export async function loopbackPeer(address = '127.0.0.1', port = 0): Promise<PacketPeer> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.bind(port, address);
  await once(socket, 'listening');
  const heard: { from: DnsEndpoint; message: Uint8Array }[] = [];
  let waiting: (() => void) | null = null;
  socket.on('message', (message, from) => {
    heard.push({ from: { address: from.address, port: from.port }, message: Uint8Array.from(message) });
    waiting?.();
  });
  return {
    endpoint: { address, port: socket.address().port },
    send: (to, message) => socket.send(message, to.port, to.address),
    async next() {
      if (heard.length === 0) {
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('no datagram came')), patienceMs);
          waiting = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        waiting = null;
      }
      return heard.shift() as { from: DnsEndpoint; message: Uint8Array };
    },
    close: () => void socket.close(),
  };
}

/** Below what a kernel gives unasked (net.ipv4.ip_local_port_range): nobody else is given one of them meanwhile. */
const [lowestPort, portRoom] = [10_000, 20_000];
const maxTries = 100;

/** Free at this moment for UDP and TCP. */
export async function freeLoopbackEndpoint(address = '127.0.0.1'): Promise<DnsEndpoint> {
  for (let time = 0; time < maxTries; time++) {
    const port = lowestPort + randomInt(portRoom);
    if ((await takesDatagrams(address, port)) && (await takesConnections(address, port)))
      return { address, port };
  }
  throw new Error(`of ${maxTries} ports none is free`);
}

async function takesDatagrams(address: string, port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const isBound = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false)).bind(port, address, () => resolve(true));
  });
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return isBound;
}

async function takesConnections(address: string, port: number): Promise<boolean> {
  const server = createServer();
  const isBound = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, address, () => resolve(true));
  });
  if (isBound) await new Promise<void>((resolve) => server.close(() => resolve()));
  return isBound;
}
