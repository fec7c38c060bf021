/** One end of a bounded blast: `blast.ts send|receive ADDRESS`; the receiver prints what came per second. */
import { connect, createServer } from 'node:net';

const [, , side = '', address = ''] = process.argv;
const port = 443;
const octets = 256 << 20;
const chunk = Buffer.alloc(256 << 10, 7);
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

const acts: Readonly<Record<string, () => void>> = { send: sendTcp, receive: receiveTcp };
acts[side]?.();
