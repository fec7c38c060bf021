/**
 * A channel to a guest over Firecracker's vsock: connected by the host, once the guest runs and listens.
 * Invariant: what is written before waits, bounded by the stream; what comes behind the greeting is the guest's.
 */
import { connect, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { firecrackerFault } from './api-client.ts';

const retryMs = 5;
const greetingDeadlineMs = 2_000;
const maxGreetingOctets = 64;

export class GuestChannel {
  /** The host's. */
  readonly stream: Duplex;
  readonly #guest: Duplex;
  #socket: Socket | null = null;
  #isClosed = false;

  constructor() {
    const [stream, guest] = duplexPair();
    // How a VM ends is told by `ended`; a stream that breaks then is no news.
    for (const end of [stream, guest]) end.on('error', () => undefined);
    this.stream = stream;
    this.#guest = guest;
  }

  /**
   * Until the guest listens, or the deadline.
   * @param path of the vsock's socket
   * @throws CodedError `vmm-failed`
   */
  async connect(path: string, port: number, deadlineMs: number): Promise<void> {
    const until = performance.now() + deadlineMs;
    while (!this.#isClosed && performance.now() < until) {
      const socket = await connected(path, port);
      if (socket === null) {
        await pause(retryMs);
        continue;
      }
      this.#socket = socket;
      if (this.#isClosed) socket.destroy();
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.close());
      this.#guest.pipe(socket).pipe(this.#guest);
      return;
    }
    throw firecrackerFault(`the guest does not listen on vsock port ${port}`);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
    this.#guest.destroy();
    this.stream.destroy();
  }
}

/** Behind `CONNECT PORT` and `OK PORT` (docs/vsock.md); null: nobody listens there yet. */
function connected(path: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let greeting = Buffer.alloc(0);
    const end = (result: Socket | null) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (result === null) {
        socket.on('error', () => undefined);
        socket.destroy();
      }
      resolve(result);
    };
    const timer = setTimeout(() => end(null), greetingDeadlineMs);
    socket.once('connect', () => socket.write(`CONNECT ${port}\n`));
    socket.once('error', () => end(null));
    socket.once('close', () => end(null));
    socket.on('data', (octets: Buffer) => {
      greeting = Buffer.concat([greeting, octets]);
      const newline = greeting.indexOf(10);
      if (newline < 0 && greeting.length < maxGreetingOctets) return;
      if (!/^OK \d+$/.test(greeting.subarray(0, newline).toString('latin1'))) {
        end(null);
        return;
      }
      socket.pause();
      const rest = greeting.subarray(newline + 1);
      if (rest.length > 0) socket.unshift(rest);
      end(socket);
    });
  });
}
