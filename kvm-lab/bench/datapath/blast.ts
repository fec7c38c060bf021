/** One end of a bounded blast: `blast.ts tcp|udp send|receive ADDRESS`; the receiver prints what came per second. */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const [, , protocol = '', side = '', address = ''] = process.argv;
const port = 443;
const octets = 768 << 20;
const chunk = Buffer.alloc(256 << 10, 7);
const datagrams = 60_000;
const datagram = Buffer.alloc(1_200, 7);
const quietMs = 400;
const deadlineMs = 60_000;
setTimeout(() => process.exit(3), deadlineMs).unref();

function receiveTcp(): void {
  const server = createServer((socket) => {
    let [count, start] = [0, 0];
    socket.on('data', ({ length }) => {
      if (count === 0) start = performance.now();
      count += length;
    });
    socket.on('end', () => {
      console.log((count * 1_000) / (performance.now() - start));
      socket.end();
      server.close();
    });
  });
  server.listen(port, address);
}

function sendTcp(): void {
  const socket = connect(port, address, () => {
    let left = octets;
    const more = () => {
      while (left > 0) {
        left -= chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('drain', more);
    more();
  });
  socket.resume();
}

function receiveUdp(): void {
  const socket = createSocket('udp4');
  let [count, start, last] = [0, 0, 0];
  socket.on('message', () => {
    last = performance.now();
    if (count === 0) start = last;
    count += 1;
  });
  socket.bind(port, address);
  const watch = setInterval(() => {
    if (count === 0 || performance.now() - last < quietMs) return;
    console.log((count * 1_000) / (last - start));
    clearInterval(watch);
    socket.close();
  }, 50);
}

async function sendUdp(): Promise<void> {
  const socket = createSocket('udp4');
  for (let sent = 0; sent < datagrams; sent += 64) {
    await Promise.all(
      Array.from(
        { length: 64 },
        () => new Promise((resolve) => socket.send(datagram, port, address, resolve)),
      ),
    );
  }
  socket.close();
}

const acts: Readonly<Record<string, () => void | Promise<void>>> = {
  'tcp send': sendTcp,
  'tcp receive': receiveTcp,
  'udp send': sendUdp,
  'udp receive': receiveUdp,
};
await acts[`${protocol} ${side}`]?.();
