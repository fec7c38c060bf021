/**
 * A channel on a virtio-serial port: a character device that is read and written in threads beside.
 * Invariant: a read of 0 octets means that no host is connected; it is tried again, at most every 2 ms and at least
 * every 50, for as long as the machine runs: an agent has nothing else to live for.
 */
import { close, open, read, readdirSync, readFileSync, write } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { type Channel, LineFeed, type LineHandler, lineOf, WriteQueue } from './channel.ts';

const portsFolder = '/sys/class/virtio-ports';
const shortestWaitMs = 2;
const longestWaitMs = 50;

const openFile = promisify(open);
const readOctets = promisify(read);
const writeOctets = promisify(write);

/** The device of the port of that name. @throws CodedError `no-guest-port` */
export function findPort(name: string, folder: string = portsFolder): string {
  let ports: string[] = [];
  try {
    ports = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const found = ports.find((port) => readFileSync(`${folder}/${port}/name`, 'utf8').trim() === name);
  if (found !== undefined) return `/dev/${found}`;
  throw new CodedError(
    'no-guest-port',
    `there is no virtio-serial port named ${name}`,
    'give the VM a virtserialport of that name, and load the module virtio_console',
  );
}

export class PortChannel implements Channel {
  readonly #path: string;
  readonly #writes = new WriteQueue();
  #fd = -1;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async serve(handler: LineHandler): Promise<void> {
    this.#fd = await openFile(this.#path, 'r+');
    const feed = new LineFeed(handler, (message) => this.#send(message));
    const buffer = Buffer.alloc(maxLineOctets);
    let waitMs = shortestWaitMs;
    let isConnected = false;
    while (!this.#closed) {
      const { bytesRead } = await readOctets(this.#fd, buffer, 0, buffer.length, null);
      if (bytesRead > 0) {
        isConnected = true;
        waitMs = shortestWaitMs;
        await feed.feed(buffer.subarray(0, bytesRead));
        continue;
      }
      if (isConnected) feed.disconnected();
      isConnected = false;
      await wait(waitMs);
      waitMs = Math.min(2 * waitMs, longestWaitMs);
    }
  }

  #send(message: object): Promise<void> {
    const line = lineOf(message);
    return this.#writes.add(async () => {
      // A port takes 32 KiB at a time.
      for (let at = 0; at < line.length; ) {
        const { bytesWritten } = await writeOctets(this.#fd, line, at, line.length - at, null);
        at += bytesWritten;
      }
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd !== -1) close(this.#fd, () => undefined);
  }
}
