/**
 * A VMM that tells when what happened to each of its forks. Invariant: it passes on what it is asked for and what it
 * gets, and changes neither.
 */
import type { Duplex } from 'node:stream';
import type { PreparedVm, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { ownProcessorMs, processorMs } from './processes.ts';

/** Milliseconds of this process's clock; 0: not yet. */
export interface ForkTimes {
  pid: number;
  preparedMs: number;
  resumedMs: number;
  /** `notify_forked` is written, and answered. */
  askedMs: number;
  answeredMs: number;
  /** `release` is written: the gate is passed. */
  passedMs: number;
  /** Processor time when the gate was passed, of the VMM and of this process. */
  vmmProcessorMs: number;
  ownProcessorMs: number;
}

export class WatchedVmm implements VmmPort {
  readonly #vmm: VmmPort;
  readonly name;
  readonly version;
  readonly accelerator;
  /** In the order in which they were resumed. */
  readonly forks: ForkTimes[] = [];

  constructor(vmm: VmmPort) {
    this.#vmm = vmm;
    this.name = vmm.name;
    this.version = vmm.version;
    this.accelerator = vmm.accelerator;
  }

  boot: VmmPort['boot'] = (spec) => this.#vmm.boot(spec);
  store: VmmPort['store'] = (snapshot, folder) => this.#vmm.store(snapshot, folder);
  load: VmmPort['load'] = (folder, digest) => this.#vmm.load(folder, digest);
  adopt: VmmPort['adopt'] = (handed, digest) => this.#vmm.adopt(handed, digest);
  close: VmmPort['close'] = () => this.#vmm.close();

  async prepare(...parameters: Parameters<VmmPort['prepare']>): Promise<PreparedVm> {
    const prepared = await this.#vmm.prepare(...parameters);
    const preparedMs = performance.now();
    return {
      channel: (name) => prepared.channel(name),
      stop: () => prepared.stop(),
      resume: async () => {
        const vm = await prepared.resume();
        const times: ForkTimes = {
          ...{ pid: vm.pid, preparedMs, resumedMs: performance.now(), askedMs: 0, answeredMs: 0 },
          ...{ passedMs: 0, vmmProcessorMs: 0, ownProcessorMs: 0 },
        };
        this.forks.push(times);
        return watched(vm, times);
      },
    };
  }
}

function watched(vm: RunningVm, times: ForkTimes): RunningVm {
  return {
    ...{ id: vm.id, pid: vm.pid, accelerator: vm.accelerator, ended: vm.ended },
    channel: (name) => (name === 'control' ? listened(vm.channel(name), times) : vm.channel(name)),
    consoleTail: () => vm.consoleTail(),
    generator: () => vm.generator(),
    save: (guest) => vm.save(guest),
    stop: () => vm.stop(),
  };
}

/** Taken once, by the gate. */
function listened(channel: Duplex, times: ForkTimes): Duplex {
  const write = channel.write.bind(channel) as (line: Buffer) => boolean;
  channel.write = ((line: Buffer) => {
    const nowMs = performance.now();
    if (times.askedMs === 0) times.askedMs = nowMs;
    else if (times.passedMs === 0) {
      times.passedMs = nowMs;
      times.vmmProcessorMs = processorMs(times.pid);
      times.ownProcessorMs = ownProcessorMs();
    }
    return write(line);
  }) as Duplex['write'];
  channel.on('data', (octets: Buffer) => {
    if (times.answeredMs === 0 && octets.includes(10)) times.answeredMs = performance.now();
  });
  return channel;
}
