/** Who listens where forkd should, and answers as it is told to. */
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { descriptorOf, sendDescriptors } from '#reference/base/unix-socket.ts';

export interface FalseAnswer {
  readonly text: string;
  readonly descriptors?: readonly number[];
  /** It hangs up afterwards. */
  readonly hangsUp?: boolean;
}

export class FalseForkd {
  readonly #server: Server;
  readonly #path: string;
  /** Requests that came. */
  readonly heard: string[] = [];

  private constructor(path: string, answer: FalseAnswer | null) {
    this.#path = path;
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        this.heard.push(chunk.toString());
        const fd = descriptorOf(socket);
        if (answer === null || fd === null) return;
        const { text, descriptors = [], hangsUp = false } = answer;
        if (descriptors.length > 0) sendDescriptors(fd, Buffer.from(text), descriptors);
        else socket.write(text);
        if (hangsUp) socket.end();
      });
    });
  }

  /** @param answer null: it never says a word */
  static async open(path: string, answer: FalseAnswer | null): Promise<FalseForkd> {
    rmSync(path, { force: true });
    const forkd = new FalseForkd(path, answer);
    await new Promise<void>((resolve) => forkd.#server.listen(path, resolve));
    return forkd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await closed;
    rmSync(this.#path, { force: true });
  }
}
