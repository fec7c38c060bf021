/** Answers pings on the control channel: what boots until the guest agent is there. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const name = 'mitos.control';
const port = readdirSync('/sys/class/virtio-ports').find(
  (one) => readFileSync(`/sys/class/virtio-ports/${one}/name`, 'utf8').trim() === name,
);
const fd = openSync(`/dev/${port}`, 'r+');
const buffer = Buffer.alloc(65_536);
let waiting = '';
for (;;) {
  const octets = readSync(fd, buffer);
  // Nobody is connected.
  if (octets === 0) await pause(20);
  waiting += buffer.toString('utf8', 0, octets);
  for (let end = waiting.indexOf('\n'); end >= 0; end = waiting.indexOf('\n')) {
    const { method } = JSON.parse(waiting.slice(0, end)) as { method?: string };
    waiting = waiting.slice(end + 1);
    const reply =
      method === 'ping'
        ? { ok: true, agent: 'placeholder', versions: [1], phase: 'template', generation: 0 }
        : { ok: false, error: 'this agent knows nothing but ping' };
    writeSync(fd, `${JSON.stringify(reply)}\n`);
  }
  if (waiting.length > buffer.length) break;
}
closeSync(fd);
