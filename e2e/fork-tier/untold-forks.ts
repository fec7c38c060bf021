/**
 * Forks of a template that nobody has told anything, their agents on unix sockets: what a host of one's own, or
 * `pnpm check guest`, is tried against. Fork n begins when somebody connects to a socket of it.
 * Invariant: no gate stands before them, and no secret is in them; when the server is closed no VM and no
 * socket is left.
 */
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { type ChannelName, channelNames } from '#reference/contract/guest-protocol.ts';
import type { RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { maxPathOctets } from '../blackbox/guest/endpoint.ts';
import type { LabTemplate } from './fork-lab.ts';

const channels = Object.keys(channelNames) as ChannelName[];
const newline = 0x0a;
const drainMs = 2_000;
const pollMs = 5;

/** One channel of one fork, for one host at a time; a host that goes leaves no half line to the next. */
class Bridge {
  readonly #channel: () => Promise<Duplex>;
  #peer: Socket | null = null;
  #isListening = false;
  #isHalf = false;
  /** Of the answer to half a line. */
  #isDraining = false;

  constructor(channel: () => Promise<Duplex>) {
    this.#channel = channel;
  }

  async serve(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    if (this.#peer !== null) {
      socket.destroy();
      return;
    }
    this.#peer = socket;
    socket.pause();
    const channel = await this.#channel();
    if (!this.#isListening) this.#listen(channel);
    const until = performance.now() + drainMs;
    while (this.#isDraining && performance.now() < until) await pause(pollMs);
    this.#isDraining = false;
    socket.on('data', (octets: Buffer) => {
      this.#isHalf = octets.at(-1) !== newline;
      if (!channel.write(octets)) {
        socket.pause();
        channel.once('drain', () => socket.resume());
      }
    });
    socket.once('close', () => this.#gone(channel));
    if (socket.destroyed) this.#gone(channel);
    socket.resume();
  }

  #gone(channel: Duplex): void {
    this.#peer = null;
    if (!this.#isHalf || channel.destroyed) return;
    this.#isHalf = false;
    this.#isDraining = true;
    channel.write('\n');
  }

  #listen(channel: Duplex): void {
    this.#isListening = true;
    channel.on('data', (octets: Buffer) => {
      if (this.#isDraining) this.#isDraining = !octets.includes(newline);
      else this.#peer?.write(octets);
    });
    channel.once('close', () => this.#peer?.destroy());
    channel.on('error', () => this.#peer?.destroy());
  }
}

const socketPath = (folder: string, n: number, name: ChannelName) => `${folder}/${n}.${name}`;

/**
 * Makes the folder, mode 0700; what stands at a socket's place and is none is nobody's to replace.
 * @throws CodedError `lab-failed`, before any guest is booted for it
 */
export function makeSocketFolder(folder: string, count: number): void {
  const fault = (what: string, remedy: string, cause?: unknown) =>
    new CodedError('lab-failed', `${folder} is no place for sockets: ${what}`, remedy, { cause });
  const paths = Array.from({ length: count }, (_, index) =>
    channels.map((name) => socketPath(folder, index + 1, name)),
  ).flat();
  const octets = Math.max(...paths.map((path) => Buffer.byteLength(path)));
  if (octets > maxPathOctets) {
    throw fault(
      `a socket in it has a path of ${octets} octets, and may have ${maxPathOctets}`,
      'name a shorter one',
    );
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fault((cause as NodeJS.ErrnoException).code ?? String(cause), 'name another --folder', cause);
  }
  const taken = paths.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false);
  if (taken !== undefined) throw fault(`${taken} is no socket`, 'remove it, or name another --folder');
}

export class UntoldForks {
  readonly #vmm: VmmPort;
  readonly #template: LabTemplate;
  readonly #forks = new Map<number, Promise<RunningVm>>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(vmm: VmmPort, template: LabTemplate) {
    this.#vmm = vmm;
    this.#template = template;
  }

  /** @param folder as `makeSocketFolder` made it; holds `{n}.control` and `{n}.services` for n from 1 to count */
  static async serve(
    vmm: VmmPort,
    template: LabTemplate,
    folder: string,
    count: number,
  ): Promise<UntoldForks> {
    const forks = new UntoldForks(vmm, template);
    try {
      for (let n = 1; n <= count; n++) {
        for (const name of channels) await forks.#listen(socketPath(folder, n, name), n, name);
      }
      return forks;
    } catch (error) {
      await forks.close();
      throw error;
    }
  }

  /** That have begun. */
  get size(): number {
    return this.#forks.size;
  }

  #listen(path: string, n: number, name: ChannelName): Promise<void> {
    rmSync(path, { force: true });
    const bridge = new Bridge(async () => (await this.#fork(n)).channel(name));
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      bridge.serve(socket).catch((error: unknown) => {
        process.stderr.write(`fork ${n}: ${error instanceof Error ? error.message : String(error)}\n`);
        socket.destroy();
      });
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
  }

  #fork(n: number): Promise<RunningVm> {
    const known = this.#forks.get(n);
    if (known !== undefined) return known;
    const fork = this.#vmm
      .prepare(this.#template.snapshot, { tapFd: null })
      .then((prepared) => prepared.resume());
    this.#forks.set(n, fork);
    return fork;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const fork of this.#forks.values()) await (await fork.catch(() => null))?.stop();
  }
}
