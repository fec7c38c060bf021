/**
 * How many VMs an engine has at once, those that are built, prepared or being ended included.
 * Invariant: never more than the limit, and none is begun when the machine's memory is nearly used up.
 */
import { readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

export interface VmLimits {
  readonly vms: number;
  /** Memory that stays free on the machine, however few VMs there are. */
  readonly spareMiB: number;
}

export const vmLimits: VmLimits = { vms: 128, spareMiB: 512 };

export class VmSlots {
  readonly #limits: VmLimits;
  readonly #availableMiB: () => number;
  #taken = 0;

  constructor(limits: Partial<VmLimits> = {}, availableMiB = memoryAvailableMiB) {
    this.#limits = { ...vmLimits, ...limits };
    this.#availableMiB = availableMiB;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns what gives it back, once. @throws CodedError `too-many-vms` */
  take(): () => void {
    const { vms, spareMiB } = this.#limits;
    if (this.#taken >= vms) throw tooMany(`${vms} VMs are there already`);
    const available = this.#availableMiB();
    if (available < spareMiB) throw tooMany(`${available} MiB of memory are left, ${spareMiB} stay free`);
    this.#taken += 1;
    let isTaken = true;
    return () => {
      if (isTaken) this.#taken -= 1;
      isTaken = false;
    };
  }

  async during<T>(act: () => Promise<T>): Promise<T> {
    const giveBack = this.take();
    try {
      return await act();
    } finally {
      giveBack();
    }
  }
}

function tooMany(what: string): CodedError {
  return new CodedError('too-many-vms', what, 'terminate sandboxes, and try again later');
}

function memoryAvailableMiB(): number {
  const [, kibi] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1')) ?? [];
  return Math.floor(Number(kibi ?? 0) / 1_024);
}
