/** A virtio-serial port of a guest for what no agent would write on one: octets as they are, lines or not. */
import { open, read, write } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { LineReader } from '#reference/guest/line-reader.ts';

const openFile = promisify(open);
const readOctets = promisify(read);
const writeOctets = promisify(write);
const retryMs = 2;

export class RawPort {
  readonly #fd: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static async open(path: string): Promise<RawPort> {
    return new RawPort(await openFile(path, 'r+'));
  }

  /** Each line is handled before the next one is read. */
  async serve(handle: (line: string) => Promise<void>): Promise<never> {
    const lines = new LineReader(maxLineOctets);
    const buffer = Buffer.alloc(maxLineOctets);
    for (;;) {
      const { bytesRead } = await readOctets(this.#fd, buffer, 0, buffer.length, null);
      // No host is connected.
      if (bytesRead === 0) await wait(retryMs);
      for (const line of lines.push(buffer.subarray(0, bytesRead))) if (line !== null) await handle(line);
    }
  }

  write(octets: string | Buffer): Promise<void> {
    const chunk = typeof octets === 'string' ? Buffer.from(octets) : octets;
    const written = this.#last.then(async () => {
      for (let at = 0; at < chunk.length; ) {
        at += (await writeOctets(this.#fd, chunk, at, chunk.length - at, null)).bytesWritten;
      }
    });
    this.#last = written.catch(() => undefined);
    return written;
  }
}
