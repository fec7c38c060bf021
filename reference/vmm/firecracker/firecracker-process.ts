/**
 * One process of Firecracker with its folder, its sockets and its channels, until nothing of it is left.
 * Invariant: whatever goes wrong on the way up, it is taken down again.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { close, socketPair } from '#reference/base/syscalls.ts';
import { type ChannelName, channelPorts } from '#reference/contract/guest-protocol.ts';
import type { VmEnd } from '#reference/contract/vmm-port.ts';
import type { LaunchedProcess, Launcher, ProcessLimits } from '../confinement/confined-launcher.ts';
import { ConsoleTail } from '../console.ts';
import { callApi, firecrackerFault } from './api-client.ts';
import { GuestChannel } from './guest-channel.ts';
import { type ApiRequest, sockets } from './requests.ts';
import type { TapPlace } from './tap-place.ts';

const endDeadlineMs = 10_000;
/** A guest boots, and its agent listens. */
const listenDeadlineMs = 60_000;
const retryMs = 2;
const maxLastWords = 300;
const lastWordsMs = 50;

export interface FirecrackerOrder {
  /** Program and the arguments that stand before ours. */
  readonly command: readonly string[];
  readonly limits: ProcessLimits;
  readonly folder: string;
  /** Descriptors 3 and on. */
  readonly fds: readonly number[];
  /** Until it listens. */
  readonly startDeadlineMs: number;
  /** That eth0 is; released with the process. */
  readonly tap: TapPlace | null;
  /** What starts it, where its tap is; closed with the process. null: what starts all that have none. */
  readonly ownLauncher: Launcher | null;
}

export class FirecrackerProcess {
  readonly channels: Readonly<Record<ChannelName, GuestChannel>> = {
    control: new GuestChannel(),
    services: new GuestChannel(),
  };
  readonly #process: LaunchedProcess;
  readonly #order: FirecrackerOrder;
  readonly #folder: string;
  readonly #output: Socket;
  readonly #console: ConsoleTail;
  #released: Promise<void> | null = null;
  #hasEnded = false;

  private constructor(process: LaunchedProcess, order: FirecrackerOrder, output: Socket) {
    this.#process = process;
    this.#order = order;
    this.#folder = order.folder;
    this.#output = output;
    this.#console = new ConsoleTail(output);
    void process.ended.then(() => {
      this.#hasEnded = true;
      for (const channel of Object.values(this.channels)) channel.close();
    });
  }

  /** Tap and launcher are given back when it fails. @throws CodedError `vmm-failed` */
  static async start(launcher: Launcher, order: FirecrackerOrder): Promise<FirecrackerProcess> {
    const { folder, tap, limits, ownLauncher } = order;
    const [ours, theirs] = socketPair();
    const output = new Socket({ fd: ours });
    output.on('error', () => output.destroy());
    try {
      mkdirSync(folder, { mode: 0o700 });
      const process = await (ownLauncher ?? launcher).launch(
        [...order.command, '--api-sock', sockets.api],
        [theirs, theirs, ...order.fds],
        limits,
        folder,
        (uid) => tap?.give(uid),
      );
      return new FirecrackerProcess(process, order, output);
    } catch (error) {
      output.destroy();
      rmSync(folder, { recursive: true, force: true });
      await ownLauncher?.close();
      tap?.release();
      throw error;
    } finally {
      close(theirs);
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<VmEnd> {
    return this.#process.ended;
  }

  consoleTail(): string {
    return this.#console.text();
  }

  /** In order; the first one waits until Firecracker listens. */
  async call(...requests: readonly ApiRequest[]): Promise<void> {
    for (const request of requests) {
      const path = await this.#api();
      await callApi(path, request).catch(async (cause: unknown) => {
        throw await this.#explained(cause);
      });
    }
  }

  /** From the first instruction on, in the background: a guest that never listens is the gate's to refuse. */
  connectChannels(): void {
    const path = join(this.#folder, sockets.vsock);
    for (const [name, channel] of Object.entries(this.channels) as [ChannelName, GuestChannel][]) {
      channel.connect(path, channelPorts[name], listenDeadlineMs).catch(() => channel.close());
    }
  }

  /** Idempotent. @throws CodedError `vmm-failed` when the process does not end */
  release(): Promise<void> {
    this.#released ??= this.#end();
    return this.#released;
  }

  async #api(): Promise<string> {
    const path = join(this.#folder, sockets.api);
    const until = performance.now() + this.#order.startDeadlineMs;
    while (!(await isListening(path))) {
      if (this.#hasEnded) throw firecrackerFault(`Firecracker has ended${this.#lastWords()}`);
      if (performance.now() > until) throw firecrackerFault('Firecracker does not listen in time');
      await pause(retryMs);
    }
    return path;
  }

  /** What it said when it ended over a request is read first. */
  async #explained(cause: unknown): Promise<Error> {
    await Promise.race([this.#process.ended, pause(lastWordsMs)]);
    const message = cause instanceof Error ? cause.message : String(cause);
    return firecrackerFault(this.#hasEnded ? `${message}${this.#lastWords()}` : message, cause);
  }

  #lastWords(): string {
    const last = this.consoleTail()
      .trim()
      .slice(-maxLastWords)
      .replaceAll(/\s*\n\s*/g, ' | ');
    return last === '' ? '' : `; it said: ${last}`;
  }

  async #end(): Promise<void> {
    this.#process.kill();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(firecrackerFault(`process ${this.pid} does not end`)),
      endDeadlineMs,
    );
    try {
      await Promise.race([this.#process.ended, promise]);
    } finally {
      clearTimeout(timer);
      for (const channel of Object.values(this.channels)) channel.close();
      this.#output.destroy();
      rmSync(this.#folder, { recursive: true, force: true });
      await this.#order.ownLauncher?.close();
    }
    this.#order.tap?.release();
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new Socket();
    socket.once('error', () => resolve(false));
    socket.connect(path, () => {
      socket.destroy();
      resolve(true);
    });
  });
}
