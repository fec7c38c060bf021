/**
 * A channel to a guest over Firecracker's vsock: connected by the host, once the guest runs and listens.
 * Invariant: what is written before waits, bounded by the stream; what comes behind the greeting is the guest's;
 * closed, it holds no socket and no timer, whatever it was at.
 */
import { connect, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { firecrackerFault } from './api-client.ts';

const retryMs = 5;
const greetingDeadlineMs = 2_000;
/** `OK PORT` and its newline: a port has ten digits at most. */
const maxGreetingOctets = 14;
const newline = 10;

export class GuestChannel {
  /** The host's. Ends when the guest's end of the connection does. */
  readonly stream: Duplex;
  readonly #guest: Duplex;
  readonly #closed = new AbortController();

  constructor() {
    const [stream, guest] = duplexPair();
    // How a VM ends is told by `ended`; a stream that breaks then is no news.
    for (const end of [stream, guest]) end.on('error', () => undefined);
    stream.allowHalfOpen = false;
    this.stream = stream;
    this.#guest = guest;
  }

  /**
   * Until the guest listens, or the deadline.
   * @param path of the vsock's socket
   * @throws CodedError `vmm-failed`
   */
  async connect(path: string, port: number, deadlineMs: number): Promise<void> {
    const { signal } = this.#closed;
    const until = performance.now() + deadlineMs;
    for (let leftMs = deadlineMs; !signal.aborted && leftMs > 0; leftMs = until - performance.now()) {
      const socket = await connected(path, port, Math.min(leftMs, greetingDeadlineMs), signal);
      if (socket !== null) {
        this.#join(socket);
        return;
      }
      await pause(retryMs, undefined, { signal }).catch(() => undefined);
    }
    throw firecrackerFault(
      signal.aborted ? 'the channel is closed' : `the guest does not listen on vsock port ${port}`,
    );
  }

  close(): void {
    this.#closed.abort();
    this.#guest.destroy();
    this.stream.destroy();
  }

  #join(socket: Socket): void {
    const { signal } = this.#closed;
    const destroy = () => void socket.destroy();
    signal.addEventListener('abort', destroy, { once: true });
    socket.on('error', destroy).once('close', () => {
      signal.removeEventListener('abort', destroy);
      // What it said before is read first.
      this.#guest.end();
    });
    this.#guest.pipe(socket).pipe(this.#guest);
    if (socket.destroyed) this.#guest.end();
    if (signal.aborted) destroy();
  }
}

/** Behind `CONNECT PORT` and `OK PORT` (docs/vsock.md); null: nobody listens there yet. */
function connected(
  path: string,
  port: number,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let greeting = Buffer.alloc(0);
    // Listeners of Node's own stay: without them what was put back is lost, and the guest's FIN is not answered.
    const end = (result: Socket | null) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', refuse);
      socket.off('data', take).off('close', refuse);
      if (result === null) socket.destroy();
      resolve(result);
    };
    const refuse = () => end(null);
    const timer = setTimeout(refuse, deadlineMs);
    const take = (octets: Buffer) => {
      greeting = Buffer.concat([greeting, octets]);
      const at = greeting.indexOf(newline);
      if (at < 0 && greeting.length < maxGreetingOctets) return;
      if (!/^OK \d{1,10}$/.test(greeting.toString('latin1', 0, Math.max(at, 0)))) {
        refuse();
        return;
      }
      const rest = greeting.subarray(at + 1);
      socket.pause();
      end(socket);
      if (rest.length > 0) socket.unshift(rest);
    };
    signal.addEventListener('abort', refuse, { once: true });
    // What follows an error is the closing.
    socket.on('error', () => undefined);
    socket.on('data', take).once('close', refuse);
    socket.once('connect', () => socket.write(`CONNECT ${port}\n`));
  });
}
