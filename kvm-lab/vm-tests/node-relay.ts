/**
 * Stands between husks and the node socket of a forkd: at the path that husks know, while forkd's own has moved. It
 * passes on what both say, and can end forkd in the middle of it, or answer in its place.
 * Descriptors are not passed on: a husk has its template before.
 */
import { renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Meddling {
  /** Of a request, before forkd hears of it; what is returned is answered instead. */
  asked?(line: string, count: number): string | null;
  /** Of an answer, before the husk hears of it; false: it never does. */
  answered?(count: number): Promise<boolean>;
}

export class NodeRelay {
  readonly #path: string;
  readonly #meddling: Meddling;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Requests so far. */
  readonly lines: string[] = [];

  private constructor(path: string, meddling: Meddling) {
    this.#path = path;
    this.#meddling = meddling;
    this.#server = createServer((socket) => this.#meet(socket));
  }

  /** @param path where forkd listens */
  static async open(path: string, meddling: Meddling): Promise<NodeRelay> {
    renameSync(path, `${path}.moved`);
    const relay = new NodeRelay(path, meddling);
    await new Promise<void>((resolve) => relay.#server.listen(path, resolve));
    return relay;
  }

  #meet(husk: Socket): void {
    const forkd = connect(`${this.#path}.moved`);
    for (const [one, other] of [
      [husk, forkd],
      [forkd, husk],
    ] as const) {
      this.#sockets.add(one);
      one
        .on('error', () => one.destroy())
        .once('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
    }
    husk.on('data', (chunk: Buffer) => {
      const line = chunk.toString();
      this.lines.push(line);
      const instead = this.#meddling.asked?.(line, this.lines.length) ?? null;
      if (instead === null) forkd.write(chunk);
      else husk.write(instead);
    });
    forkd.on('data', (chunk: Buffer) => {
      const passing = this.#meddling.answered?.(this.lines.length) ?? Promise.resolve(true);
      passing.then(
        (isPassed) => (isPassed ? husk.write(chunk) : husk.destroy()),
        () => husk.destroy(),
      );
    });
  }

  /** forkd's socket, where it is still one, is at its path again. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    rmSync(this.#path, { force: true });
    renameSync(`${this.#path}.moved`, this.#path);
  }
}
