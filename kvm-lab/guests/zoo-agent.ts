/**
 * PID 1 of the guests of the zoo: the honest agent, with somebody on its control channel who does what the kernel's
 * command line says when the fork is told of, and before that leaves everything as it is.
 */
import { hash, randomBytes } from 'node:crypto';
import { closeSync, readFileSync } from 'node:fs';
import { type ControlRequest, channelNames } from '#reference/contract/guest-protocol.ts';
import { sampleDrawOctets } from '#reference/contract/reseed.ts';
import type { Channel, LineHandler } from '#reference/guest/channel.ts';
import { earlyInit } from '#reference/guest/early-init.ts';
import { runGuestAgent } from '#reference/guest/guest.ts';
import { findPort, PortChannel } from '#reference/guest/port-channel.ts';
import { systemCalls } from '#reference/guest/system-calls.ts';
import { RawPort } from './raw-port.ts';
import { guestOf, zooWord } from './zoo.ts';
import { behaviours, type Meddling, releases, type Scene } from './zoo-behaviours.ts';

const speakEveryMs = 5;

class ZooChannel implements Channel {
  readonly #port: RawPort;
  readonly #chosen: string;
  readonly #memory: Scene['memory'] = { answer: null };
  readonly #beforeSnapshot = {
    sample: hash('sha256', randomBytes(32)),
    seed: randomBytes(64),
  };
  #guest = 'honest';

  constructor(port: RawPort, chosen: string) {
    this.#port = port;
    this.#chosen = chosen;
  }

  serve(handler: LineHandler): Promise<never> {
    return this.#port.serve((line) => this.#line(handler, line));
  }

  close(): void {
    throw new Error('a guest of the zoo lives as long as its machine');
  }

  async #line(handler: LineHandler, line: string): Promise<void> {
    const request = JSON.parse(line) as ControlRequest;
    const write = (octets: string | Buffer) => this.#port.write(octets);
    if (request.method === 'notify_forked') {
      // Once it replays, so do the forks of it.
      if (this.#memory.answer === null) this.#guest = guestOf(this.#chosen, request.generation)?.name ?? '';
      await behaviours.get(this.#guest)?.({
        asked: request,
        memory: this.#memory,
        beforeSnapshot: this.#beforeSnapshot,
        honest: () => answerOf(handler, line),
        meddle,
        write,
      });
      return;
    }
    const atRelease = request.method === 'release' ? releases.get(this.#guest) : undefined;
    if (atRelease !== undefined) return void (await atRelease(write));
    const answer = await answerOf(handler, line);
    if (request.method === 'prepare_snapshot') renewGenerator();
    await write(`${JSON.stringify(answer)}\n`);
    if (request.method === 'prepare_snapshot' && this.#chosen === 'speaks-first') this.#speakFirst();
  }

  #speakFirst(): void {
    setInterval(() => void this.#port.write('{"ok":true,"reseeded_rng":true}\n'), speakEveryMs);
  }
}

const RNDRESEEDCRNG = 0x5207;
const O_RDWR_CLOEXEC = 0x80002;

/**
 * A kernel that was seeded long ago reseeds by itself at the next read; in the forks of one that was seeded a moment
 * ago only who does it is reseeded.
 */
function renewGenerator(): void {
  const device = systemCalls.open('/dev/urandom', O_RDWR_CLOEXEC);
  systemCalls.ioctl(device, RNDRESEEDCRNG, new Uint8Array(0));
  systemCalls.getrandom(Buffer.alloc(sampleDrawOctets));
  closeSync(device);
}

/** The agent calls through this object: what is put into it stands between the agent and its kernel. */
function meddle(how: Meddling): void {
  const { ioctl } = systemCalls;
  systemCalls.ioctl = (fd, request, argument) => {
    const handed = how(request, argument);
    return handed === null ? 0 : ioctl(fd, request, handed);
  };
}

async function answerOf(handler: LineHandler, line: string): Promise<object> {
  let answer: object = {};
  await handler.line(line, async (message) => {
    answer = message;
  });
  return answer;
}

function chosenGuest(): string {
  const words = readFileSync('/proc/cmdline', 'utf8').trim().split(' ');
  const chosen = words.find((word) => word.startsWith(`${zooWord}=`))?.slice(zooWord.length + 1) ?? '';
  if (guestOf(chosen, 1) === null) throw new Error(`the zoo has no guest ${chosen}`);
  return chosen;
}

function fail(error: unknown): never {
  process.stderr.write(`zoo: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(70);
}

process.on('uncaughtException', fail);
earlyInit(systemCalls);
try {
  const control = await RawPort.open(findPort(channelNames.control));
  await runGuestAgent({
    control: new ZooChannel(control, chosenGuest()),
    services: new PortChannel(findPort(channelNames.services)),
    log: (sentence) => void process.stderr.write(`zoo: ${sentence}\n`),
  });
} catch (error) {
  fail(error);
}
