/** Who talks to the guest of the contract: what it can be asked stands in `vmm-port-contract.ts`. */
import { createInterface } from 'node:readline';
import { CodedError } from '#reference/base/coded-error.ts';
import type { ChannelName } from '#reference/contract/guest-protocol.ts';
import type { BootSpec, GuestFacts, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';

export interface VmmGround {
  readonly vmm: VmmPort;
  /** Another one, to be closed. */
  another(): Promise<VmmPort>;
  readonly spec: BootSpec;
  /** The VMM can read the guest’s generator. */
  readonly hasWitness: boolean;
  /** The machine of `spec` has `volumeSlots`; else the VMM refuses them. */
  readonly hasVolumes: boolean;
  /** Whether there is a process of a VMM by that number. */
  isThere(pid: number): boolean;
  close(): Promise<void>;
}

const answerDeadlineMs = 60_000;

export async function within<T>(promise: Promise<T>, what: string, ms = answerDeadlineMs): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not in time`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export async function refusalOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof CodedError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

/** Somebody who talks to a guest, a line at a time. */
export class Talk {
  readonly #vm: RunningVm;
  readonly #lines: Record<ChannelName, AsyncIterator<string>>;

  constructor(vm: RunningVm) {
    this.#vm = vm;
    const lines = (name: ChannelName) => createInterface({ input: vm.channel(name) })[Symbol.asyncIterator]();
    this.#lines = { control: lines('control'), services: lines('services') };
  }

  async ask(line: string, on: ChannelName = 'control'): Promise<string> {
    this.#vm.channel(on).write(`${line}\n`);
    const ended = this.#vm.ended.then(() => ({ value: '', done: true }));
    const next = Promise.race([this.#lines[on].next(), ended]);
    const { value, done } = await within(next, `an answer to ${line}`);
    if (done === true) throw new Error(`no answer to ${line}: the VM has ended`);
    return value;
  }
}

export async function factsOf(talk: Talk): Promise<GuestFacts> {
  const symbol = await talk.ask('symbol');
  return {
    protocolVersions: [1],
    kernelRelease: await talk.ask('release'),
    generatorSymbol: symbol === 'none' ? null : symbol,
  };
}
