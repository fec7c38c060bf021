/**
 * A forwarder without policy on `node:dgram`, a process of its own: `node-forwarder.ts PORT UPSTREAM-PORT`. What Node
 * does with two sockets and a map when nothing is checked: one upstream socket, IDs counted up, answers passed on.
 */
import { createSocket } from 'node:dgram';

const [, , port = '', upstreamPort = ''] = process.argv;
const loopback = '127.0.0.1';

interface Asked {
  readonly id: number;
  readonly port: number;
  readonly address: string;
}

const guests = createSocket('udp4');
const upstream = createSocket('udp4');
const asked = new Map<number, Asked>();
let nextId = 0;

guests.on('message', (message, { port, address }) => {
  if (message.length < 12) return;
  nextId = (nextId + 1) & 0xffff;
  asked.set(nextId, { id: message.readUInt16BE(0), port, address });
  message.writeUInt16BE(nextId, 0);
  upstream.send(message);
});

upstream.on('message', (message) => {
  if (message.length < 12) return;
  const id = message.readUInt16BE(0);
  const guest = asked.get(id);
  if (guest === undefined) return;
  asked.delete(id);
  message.writeUInt16BE(guest.id, 0);
  guests.send(message, guest.port, guest.address);
});

upstream.connect(Number(upstreamPort), loopback);
guests.bind(Number(port), loopback);
