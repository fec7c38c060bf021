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
  /** Of the VMM, before it was paused for somebody to ask for it: not counted above. */
  aheadMs: number;
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

  argumentsOf: VmmPort['argumentsOf'] = (machine) => this.#vmm.argumentsOf(machine);
  boot: VmmPort['boot'] = (spec) => this.#vmm.boot(spec);
  store: VmmPort['store'] = (snapshot, folder) => this.#vmm.store(snapshot, folder);
  load: VmmPort['load'] = (folder, digest) => this.#vmm.load(folder, digest);
  adopt: VmmPort['adopt'] = (handed, digest) => this.#vmm.adopt(handed, digest);
  close: VmmPort['close'] = () => this.#vmm.close();

  async prepare(...parameters: Parameters<VmmPort['prepare']>): Promise<PreparedVm> {
    const prepared = await this.#vmm.prepare(...parameters);
    return this.#resumable(prepared, performance.now(), new Listened());
  }

  /** @param aheadMs processor time of the VMM that was spent before it was asked for */
  #resumable(prepared: PreparedVm, preparedMs: number, control: Listened, aheadMs = 0): PreparedVm {
    return {
      channel: (name) => prepared.channel(name),
      stop: () => prepared.stop(),
      resume: async () => {
        const vm = await prepared.resume();
        const times: ForkTimes = {
          ...{ pid: vm.pid, preparedMs, resumedMs: performance.now(), askedMs: 0, answeredMs: 0 },
          ...{ passedMs: 0, vmmProcessorMs: 0, ownProcessorMs: 0, aheadMs },
        };
        this.forks.push(times);
        control.times = times;
        return this.#watched(vm, control);
      },
    };
  }

  #watched(vm: RunningVm, control: Listened): RunningVm {
    return {
      ...{ id: vm.id, pid: vm.pid, accelerator: vm.accelerator, ended: vm.ended },
      channel: (name) => (name === 'control' ? control.listen(vm.channel(name)) : vm.channel(name)),
      pause: async () => {
        const paused = await vm.pause();
        return this.#resumable(paused, performance.now(), control, processorMs(vm.pid));
      },
      consoleTail: () => vm.consoleTail(),
      generator: () => vm.generator(),
      save: (guest) => vm.save(guest),
      stop: () => vm.stop(),
    };
  }
}

/** A control channel: taken once, by the gate or by a rehearsal before it. */
class Listened {
  /** Of what it is resumed for now. */
  times: ForkTimes | null = null;

  listen(channel: Duplex): Duplex {
    const write = channel.write.bind(channel) as (line: Buffer) => boolean;
    channel.write = ((line: Buffer) => {
      if (this.times !== null) noteAsked(this.times);
      return write(line);
    }) as Duplex['write'];
    channel.on('data', (octets: Buffer) => {
      const { times } = this;
      if (times?.answeredMs === 0 && octets.includes(10)) times.answeredMs = performance.now();
    });
    return channel;
  }
}

function noteAsked(times: ForkTimes): void {
  const nowMs = performance.now();
  if (times.askedMs === 0) times.askedMs = nowMs;
  else if (times.passedMs === 0) {
    times.passedMs = nowMs;
    times.vmmProcessorMs = processorMs(times.pid) - times.aheadMs;
    times.ownProcessorMs = ownProcessorMs();
  }
}
