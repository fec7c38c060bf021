/** An upstream server on loopback for tests: UDP and TCP on one port, answering as a function says. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { DnsEndpoint } from '../contract/dns-port.ts';
import { framed, StreamFrames } from './streams/stream-frames.ts';

export interface UpstreamStub {
  readonly endpoint: DnsEndpoint;
  /** Every query that came, by transport. */
  readonly heard: { readonly transport: 'udp' | 'tcp'; readonly query: Uint8Array }[];
  close(): Promise<void>;
}

type Answerer = (query: Uint8Array, transport: 'udp' | 'tcp') => Uint8Array | null;

export async function upstreamStub(answer: Answerer, address = '127.0.0.1', port = 0): Promise<UpstreamStub> {
  const heard: UpstreamStub['heard'] = [];
  const tcp = createServer((socket) => {
    const frames = new StreamFrames();
    socket.on('error', () => socket.destroy());
    socket.on('data', (octets) => {
      for (const query of frames.push(octets) ?? []) {
        heard.push({ transport: 'tcp', query });
        const reply = answer(query, 'tcp');
        if (reply !== null) socket.write(framed(reply));
      }
    });
  });
  tcp.listen(port, address);
  await once(tcp, 'listening');
  const bound = (tcp.address() as { port: number }).port;
  const udp = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  udp.on('message', (query, from) => {
    heard.push({ transport: 'udp', query });
    const reply = answer(query, 'udp');
    if (reply !== null) udp.send(reply, from.port, from.address);
  });
  udp.bind(bound, address);
  await once(udp, 'listening');
  return {
    endpoint: { address, port: bound },
    heard,
    async close() {
      udp.close();
      tcp.close();
      await once(tcp, 'close');
    },
  };
}
