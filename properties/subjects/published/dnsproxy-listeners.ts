/** Where the published proxy is asked: UDP, and TCP with the length before each message (RFC 1035 section 4.2.2). */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { DnsPlace } from '../dnsproxy-protocol.ts';

export interface DnsListener {
  close(): Promise<void>;
}

/** What the guest gets for a message; null: nothing. */
export type Answerer = (message: Buffer) => Promise<Buffer | null>;

const told = (error: unknown) =>
  process.stderr.write(`a question was not answered: ${error instanceof Error ? error.message : error}\n`);

export async function listenUdp({ address, port }: DnsPlace, answerer: Answerer): Promise<DnsListener> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let open = true;
  socket.on('message', (message, from) => {
    answerer(message).then((answer) => {
      if (answer !== null && open) socket.send(answer, from.port, from.address);
    }, told);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  socket.on('error', told);
  const close = async () => {
    open = false;
    socket.close();
  };
  return { close };
}

export async function listenTcp({ address, port }: DnsPlace, answerer: Answerer): Promise<DnsListener> {
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    serve(connection, answerer);
  });
  server.listen(port, address);
  await once(server, 'listening');
  const close = async () => {
    for (const connection of connections) connection.destroy();
    server.close();
  };
  return { close };
}

function serve(connection: Socket, answerer: Answerer): void {
  let pending: Buffer = Buffer.alloc(0);
  connection.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const message = pending.subarray(2, end);
      pending = pending.subarray(end);
      answerer(message).then((answer) => {
        if (answer === null || connection.destroyed) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        connection.write(Buffer.concat([length, answer]));
      }, told);
    }
  });
}
