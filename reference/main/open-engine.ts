/** Wires a fork engine on QEMU: what forkd and sandbox-server have in common. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { Forkd, type ForkdOptions } from '../forkd/forkd.ts';
import { openQemu } from '../vmm/qemu/qemu.ts';

export const accelerators: readonly Accelerator[] = ['kvm', 'tcg'];

export interface EngineFlags {
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly log: Log;
  readonly maxVms?: number;
}

/** @throws CodedError `no-qemu`, `no-landlock`, `forkd-taken` and what `Forkd.start` throws */
export async function openEngine(
  { folder, accelerator, log, maxVms }: EngineFlags,
  more: Partial<ForkdOptions> = {},
): Promise<Forkd> {
  const vmm = await openQemu(accelerator);
  try {
    const vms = maxVms === undefined ? {} : { vms: { vms: maxVms } };
    return await Forkd.start({ folder, vmm, networks: null, log, ...vms, ...more });
  } catch (error) {
    await vmm.close();
    throw error;
  }
}

export function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw new CodedError('bad-flag', `--${flag} ${value}: it is none of ${known.join(', ')}`, 'see --help');
}

/** Told once, by SIGTERM or SIGINT. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    // Nothing else may hold the event loop.
    const held = setInterval(() => undefined, 1 << 30);
    const end = () => {
      clearInterval(held);
      resolve();
    };
    process.once('SIGTERM', end).once('SIGINT', end);
  });
}

/** The chain of an error once, on stderr; a coded one in two lines. */
export function failProcess(name: string, error: unknown): never {
  if (error instanceof CodedError) {
    process.stderr.write(`${name}: ${error.message}\n  ${error.remediation} [${error.code}]\n`);
    process.exit(2);
  }
  process.stderr.write(
    `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(70);
}
