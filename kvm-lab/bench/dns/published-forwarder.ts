/**
 * The published design, a process of its own: `published-forwarder.ts PORT UPSTREAM-PORT SET`. The guest's message goes
 * upstream as it came, every address of the answer is pinned by a process of nft, then the answer is passed on; a pin
 * that fails is logged and answered all the same (findings, F1).
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import * as dnsPacket from 'dns-packet';

const [, , port = '', upstreamPort = '', set = ''] = process.argv;
const loopback = '127.0.0.1';
const pinFloorSeconds = 30;
const guests = createSocket('udp4');
const upstream = createSocket('udp4');
const asked = new Map<number, { readonly port: number; readonly address: string; readonly id: number }>();
let nextId = 0;

guests.on('message', (message, { port, address }) => {
  nextId = (nextId + 1) & 0xffff;
  asked.set(nextId, { port, address, id: message.readUInt16BE(0) });
  message.writeUInt16BE(nextId, 0);
  upstream.send(message);
});

function pin(address: string, ttlSeconds: number): Promise<void> {
  const timeout = Math.max(ttlSeconds, pinFloorSeconds);
  const element = `{ ${address} . tcp . 443 timeout ${timeout}s }`;
  return new Promise((resolve) => {
    execFile('nft', ['add', 'element', 'inet', 'mitos', set, element], (error) => {
      if (error !== null) console.error(error.message);
      resolve();
    });
  });
}

upstream.on('message', async (message) => {
  const guest = asked.get(message.readUInt16BE(0));
  asked.delete(message.readUInt16BE(0));
  if (guest === undefined) return;
  for (const answer of dnsPacket.decode(message).answers ?? []) {
    if (answer.type === 'A') await pin(answer.data, answer.ttl ?? 0);
  }
  message.writeUInt16BE(guest.id, 0);
  guests.send(message, guest.port, guest.address);
});

upstream.connect(Number(upstreamPort), loopback);
guests.bind(Number(port), loopback);
