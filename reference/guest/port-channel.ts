/**
 * A channel on a virtio-serial port: a character device that is read and written in threads beside; in the main thread
 * while a fork is waited for, which has one thread less to wake then.
 * Invariant: a read of 0 octets means that no host is connected; it is tried again, at most every 2 ms and at least
 * every 50, for as long as the machine runs: an agent has nothing else to live for. The main thread waits for
 * whatever wakes the event loop besides, and no longer than that at a time.
 */
import {
  close,
  open,
  read,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  write,
  writeSync,
} from 'node:fs';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { type Channel, LineFeed, type LineHandler, lineOf, WriteQueue } from './channel.ts';
import { Poll } from './system-calls.ts';

const portsFolder = '/sys/class/virtio-ports';
const shortestWaitMs = 2;
const longestWaitMs = 50;
/** Of the main thread, at a time: timers of the other channels, which wake nothing, are late by no more. */
const heldMs = longestWaitMs;

// Not promisify's: what it gives is an object of a shape that is made anew at each call.
function answered<T>(act: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    act((error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

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

/** What event loops of this process wait on: readable when one of them has something to do. */
function eventPolls(): number[] {
  const folder = '/proc/self/fd';
  return readdirSync(folder).flatMap((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`) === 'anon_inode:[eventpoll]' ? [Number(fd)] : [];
    } catch (error) {
      // The one that the folder was read with.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}

export class PortChannel implements Channel {
  readonly #path: string;
  readonly #writes = new WriteQueue();
  #fd = -1;
  #closed = false;
  #poll: Poll | null = null;
  /** While the last line is answered. */
  #isHeld = false;

  constructor(path: string) {
    this.#path = path;
  }

  async serve(handler: LineHandler): Promise<void> {
    this.#fd = await answered<number>((done) => open(this.#path, 'r+', done));
    const feed = new LineFeed(handler, (message) => this.#send(message));
    const buffer = Buffer.alloc(maxLineOctets);
    let waitMs = shortestWaitMs;
    let isConnected = false;
    while (!this.#closed) {
      const octets = await this.#read(buffer, handler.isHeld?.() === true);
      if (octets === null) continue;
      if (octets > 0) {
        isConnected = true;
        waitMs = shortestWaitMs;
        await feed.feed(buffer.subarray(0, octets));
        continue;
      }
      if (isConnected) feed.disconnected();
      isConnected = false;
      await wait(waitMs);
      waitMs = Math.min(2 * waitMs, longestWaitMs);
    }
  }

  /** null: nothing yet. */
  async #read(buffer: Buffer, isHeld: boolean): Promise<number | null> {
    this.#isHeld = isHeld;
    if (!isHeld) {
      return answered<number>((done) => read(this.#fd, buffer, 0, buffer.length, null, done));
    }
    this.#poll ??= new Poll([this.#fd, ...eventPolls()]);
    if (this.#poll.isFirstReadable(heldMs)) return readSync(this.#fd, buffer, 0, buffer.length, null);
    await nextTurn();
    return null;
  }

  #send(message: object): Promise<void> {
    const line = lineOf(message);
    return this.#writes.add(async () => {
      // A port takes 32 KiB at a time.
      for (let at = 0; at < line.length; ) at += await this.#write(line, at);
    });
  }

  #write(line: Buffer, at: number): number | Promise<number> {
    const octets = line.length - at;
    if (this.#isHeld) return writeSync(this.#fd, line, at, octets, null);
    return answered<number>((done) => write(this.#fd, line, at, octets, null, done));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd !== -1) close(this.#fd, () => undefined);
  }
}
