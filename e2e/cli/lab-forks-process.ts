/** `pnpm lab forks` as a process of its own, until it is interrupted; and Firecracker's greeting before its sockets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { processesBelow } from '#kvm-lab/vm-tests/main-process.ts';
import { channelPorts } from '#reference/contract/guest-protocol.ts';
import { cli } from './run-cli.ts';

const maxGreetingOctets = 64;

/** Processes below one that are a QEMU: booted guests and forks. */
export function qemusBelow(pid: number): number[] {
  return processesBelow(pid).filter((one) => {
    try {
      return readFileSync(`/proc/${one}/cmdline`, 'latin1').split('\0')[0]?.includes('qemu-system') === true;
    } catch (error) {
      // It has ended meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  });
}

export class LabForksProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #said = '';

  private constructor(words: readonly string[]) {
    this.#child = spawn(process.execPath, [cli, 'lab', 'forks', ...words], {
      ...{ stdio: ['ignore', 'pipe', 'pipe'], env: markedEnvironment() },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    }
    this.#ended = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  /** Ready. @throws what it said, when it ends before */
  static async start(words: readonly string[]): Promise<LabForksProcess> {
    const forks = new LabForksProcess(words);
    const { stdout } = forks.#child;
    while (stdout !== null && !forks.#said.includes('\nready: ')) {
      const isOver = await Promise.race([
        once(stdout, 'data').then(() => false),
        forks.#ended.then(() => true),
      ]);
      if (isOver) throw new Error(`it ended before it was ready: ${forks.#said}`);
    }
    return forks;
  }

  /** Forks that have begun. */
  get begun(): number {
    return qemusBelow(this.#child.pid ?? 0).length;
  }

  /** What it says to type, its words. */
  get check(): readonly string[] {
    const line = /^pnpm (check guest .*)$/m.exec(this.#said)?.[1] ?? '';
    return line.split(' ').map((word) => word.replaceAll("'", ''));
  }

  /** Interrupted; its exit code, and what of it lives on. */
  async end(): Promise<{ readonly code: number | null; readonly left: readonly number[] }> {
    const below = processesBelow(this.#child.pid ?? 0);
    this.#child.kill('SIGINT');
    const code = await this.#ended;
    return { code, left: below.filter((pid) => qemusBelow(process.pid).includes(pid)) };
  }
}

/**
 * A stand-in for the host's side of Firecracker's vsock (Firecracker, docs/vsock.md): `CONNECT PORT`, `OK PORT`, and
 * then the channel of a real guest.
 * @param channels the guest's sockets
 */
export async function firecrackerSocket(
  path: string,
  channels: Readonly<Record<keyof typeof channelPorts, string>>,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let greeting = '';
    const take = (octets: Buffer) => {
      greeting += octets.toString('latin1');
      if (!greeting.includes('\n') && greeting.length < maxGreetingOctets) return;
      socket.off('data', take).pause();
      const [, port] = /^CONNECT (\d+)\n$/.exec(greeting) ?? [];
      const name = (['control', 'services'] as const).find((one) => channelPorts[one] === Number(port));
      if (name === undefined) socket.destroy();
      else joined(socket, channels[name], Number(port));
    };
    socket.on('data', take);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return server;
}

function joined(socket: Socket, path: string, port: number): void {
  const channel = connect(path, () => {
    socket.write(`OK ${port}\n`);
    socket.pipe(channel).pipe(socket);
  });
  channel.on('error', () => socket.destroy());
  for (const [one, other] of [
    [socket, channel],
    [channel, socket],
  ] as const) {
    one.once('close', () => other.destroy());
  }
}
