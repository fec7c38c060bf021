/**
 * A channel on a unix socket: one host at a time.
 * Invariant: who comes while another is connected is closed at once.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Channel, LineFeed, type LineHandler, lineOf, WriteQueue } from './channel.ts';

const waysToGo = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'];

export class SocketChannel implements Channel {
  readonly #path: string;
  readonly #writes = new WriteQueue();
  #server: Server | null = null;
  #peer: Socket | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  serve(handler: LineHandler): Promise<void> {
    rmSync(this.#path, { force: true });
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true }, (socket) => {
        if (this.#peer !== null) {
          socket.destroy();
          return;
        }
        this.#peer = socket;
        this.#read(socket, handler).catch(reject);
      });
      this.#server = server;
      server.once('error', reject).once('close', resolve).listen(this.#path);
    });
  }

  async #read(socket: Socket, handler: LineHandler): Promise<void> {
    const feed = new LineFeed(handler, (message) => this.#send(socket, message));
    try {
      for await (const chunk of socket) await feed.feed(chunk);
    } catch (error) {
      if (!waysToGo.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      socket.destroy();
      this.#peer = null;
      feed.disconnected();
    }
  }

  #send(socket: Socket, message: object): Promise<void> {
    const line = lineOf(message);
    return this.#writes.add(
      () =>
        new Promise((resolve) => {
          if (socket.destroyed) return resolve();
          socket.write(line, () => resolve());
        }),
    );
  }

  close(): void {
    this.#peer?.destroy();
    this.#server?.close();
  }
}
