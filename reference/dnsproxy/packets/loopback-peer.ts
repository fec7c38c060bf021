/** Somebody on loopback for tests of adapters: a UDP socket that keeps what it hears. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
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

/** Free at this moment: the kernel gave it, and it was given back. */
export async function freeLoopbackEndpoint(address = '127.0.0.1'): Promise<DnsEndpoint> {
  const socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return { address, port };
}
