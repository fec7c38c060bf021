/** The virtio-serial port of a guest: lines in, one after the other, and lines out. */
import { open, read, readdirSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const ports = '/sys/class/virtio-ports';
const retryMs = 2;
const maxLineOctets = 65_536;

export type Send = (message: object) => void;

function deviceOf(name: string): string {
  const port = readdirSync(ports).find((one) => readFileSync(`${ports}/${one}/name`, 'utf8').trim() === name);
  if (port === undefined) throw new Error(`no port ${name}`);
  return `/dev/${port}`;
}

/** Ends never: a guest has nothing else to live for. */
export async function serveLines(
  name: string,
  handle: (message: Record<string, unknown>, send: Send) => Promise<void>,
): Promise<never> {
  const fd = await promisify(open)(deviceOf(name), 'r+');
  const send: Send = (message) => {
    const line = Buffer.from(`${JSON.stringify(message)}\n`);
    for (let at = 0; at < line.length; ) at += writeSync(fd, line, at);
  };
  const buffer = Buffer.alloc(maxLineOctets);
  let waiting = '';
  for (;;) {
    const { bytesRead } = await promisify(read)(fd, buffer, 0, buffer.length, null);
    // Nobody is connected.
    if (bytesRead === 0) await wait(retryMs);
    waiting = (waiting + buffer.toString('utf8', 0, bytesRead)).slice(-2 * maxLineOctets);
    for (let end = waiting.indexOf('\n'); end !== -1; end = waiting.indexOf('\n')) {
      const line = waiting.slice(0, end);
      waiting = waiting.slice(end + 1);
      await handle(JSON.parse(line) as Record<string, unknown>, send);
    }
  }
}
