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
import { ConsoleTail } from '../qemu/console.ts';
import { callApi, firecrackerFault } from './api-client.ts';
import type { ApiRequest } from './api-schemas.ts';
import { GuestChannel } from './guest-channel.ts';

const endDeadlineMs = 10_000;
const startDeadlineMs = 10_000;
/** A guest boots, and its agent listens. */
const listenDeadlineMs = 60_000;
const retryMs = 2;
/** Names in the folder that the process starts in: relative, so that they are short. */
const sockets = { api: 'api', vsock: 'vsock' } as const;

/** The child's descriptors; 0 is /dev/null, 1 and 2 are the console. */
export const firstFd = 3;

export interface FirecrackerOrder {
  /** Program and the arguments that stand before ours. */
  readonly command: readonly string[];
  readonly limits: ProcessLimits;
  readonly folder: string;
  /** Descriptors 3 and on. */
  readonly fds: readonly number[];
}

export class FirecrackerProcess {
  readonly channels: Readonly<Record<ChannelName, GuestChannel>> = {
    control: new GuestChannel(),
    services: new GuestChannel(),
  };
  readonly #process: LaunchedProcess;
  readonly #folder: string;
  readonly #output: Socket;
  readonly #console: ConsoleTail;
  #released: Promise<void> | null = null;
  #hasEnded = false;

  private constructor(process: LaunchedProcess, folder: string, output: Socket) {
    this.#process = process;
    this.#folder = folder;
    this.#output = output;
    this.#console = new ConsoleTail(output);
    void process.ended.then(() => {
      this.#hasEnded = true;
      for (const channel of Object.values(this.channels)) channel.close();
    });
  }

  /** @throws CodedError `vmm-failed` */
  static async start(launcher: Launcher, order: FirecrackerOrder): Promise<FirecrackerProcess> {
    mkdirSync(order.folder, { mode: 0o700 });
    const [ours, theirs] = socketPair();
    const output = new Socket({ fd: ours });
    output.on('error', () => output.destroy());
    try {
      const command = [...order.command, '--api-sock', sockets.api];
      const process = await launcher.launch(
        command,
        [theirs, theirs, ...order.fds],
        order.limits,
        order.folder,
      );
      return new FirecrackerProcess(process, order.folder, output);
    } catch (error) {
      output.destroy();
      rmSync(order.folder, { recursive: true, force: true });
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
    for (const request of requests) await callApi(await this.#api(), request);
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
    const until = performance.now() + startDeadlineMs;
    while (!(await isListening(path))) {
      if (this.#hasEnded) throw firecrackerFault('Firecracker has ended');
      if (performance.now() > until) throw firecrackerFault('Firecracker does not listen in time');
      await pause(retryMs);
    }
    return path;
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
    }
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
