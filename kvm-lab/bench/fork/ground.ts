/** An engine with a template of the lab's guest, and what the parts do with it. */
import { labTemplate } from '#kvm-lab/vm-tests/lab-engine.ts';
import { openLog } from '#reference/base/log.ts';
import { close } from '#reference/base/syscalls.ts';
import { within } from '#reference/base/within.ts';
import type { Template } from '#reference/contract/fork-engine-port.ts';
import { type ExecRequest, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type { Accelerator, SealedFile, VmmPort } from '#reference/contract/vmm-port.ts';
import { ControlChannel } from '#reference/fork-engine/control-channel.ts';
import { Forkd } from '#reference/forkd/forkd.ts';
import { guestMac } from '#reference/forkd/templates.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { type ForkTimes, WatchedVmm } from './watched-vmm.ts';

/** A machine under load is slow, which the figures tell: nothing is refused for it. */
const deadlines = { bootMs: 300_000, answerMs: 120_000 };
const activation = { deadlineMs: 60_000 };

export const say = (sentence: string): void => void process.stderr.write(`  fork: ${sentence}\n`);

export interface Ground {
  readonly engine: Forkd;
  readonly vmm: WatchedVmm;
  readonly template: Template;
}

export async function openGround(folder: string, accelerator: Accelerator): Promise<Ground> {
  const vmm = new WatchedVmm(await openQemu(accelerator));
  const log = openLog('fork-bench', 'warn');
  let engine: Forkd;
  try {
    engine = await Forkd.start({ folder, vmm, networks: null, log, activation, deadlines });
  } catch (error) {
    await vmm.close();
    throw error;
  }
  try {
    return { engine, vmm, template: await engine.buildTemplate(await labTemplate()) };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** A boot of the same guest on the same machine, until its agent answers. Milliseconds. */
export async function coldBootMs(vmm: VmmPort): Promise<number> {
  const { kernel, initrd, commandLine, memoryMiB, cpus } = await labTemplate();
  const opened: SealedFile[] = [];
  try {
    for (const { path, sha256 } of [kernel, initrd]) {
      opened.push(await openVerified({ destination: path, sha256, allowUnverified: false }));
    }
    const [kernelFile, initrdFile] = opened as [SealedFile, SealedFile];
    const cpuModel = vmm.accelerator === 'kvm' ? 'host' : 'max';
    const machine = { memoryMiB, cpus, cpuModel, guestMac, generationId: 'fresh' } as const;
    const startMs = performance.now();
    const place = { tapFd: null };
    const vm = await vmm.boot({ machine, kernel: kernelFile, initrd: initrdFile, commandLine, place });
    const control = new ControlChannel(vm.channel('control'));
    try {
      const answer = control.ask({ method: 'ping' }, maxLineOctets);
      await within(answer, deadlines.bootMs, () => new Error('the guest did not boot in time'));
      return performance.now() - startMs;
    } finally {
      control.close();
      await vm.stop();
    }
  } finally {
    for (const { fd } of opened) close(fd);
  }
}

export interface MeasuredFork {
  readonly id: string;
  readonly times: ForkTimes;
  /** From the call to the gate passed. */
  readonly passedMs: number;
  /** What the host does for the gate: before it asks the guest, and after the answer. */
  readonly gateMs: number;
  /** Of this process, from the call to the gate passed. */
  readonly ownProcessorMs: number;
}

/** One fork while nothing else is asked of the engine. */
export async function forkOnce(
  { engine, vmm, template }: Ground,
  ownMs: () => number,
): Promise<MeasuredFork> {
  const before = vmm.forks.length;
  const [startMs, ownBeforeMs] = [performance.now(), ownMs()];
  const { id } = await engine.fork({ template: template.id, network: null, secrets: [] });
  const times = vmm.forks[before];
  if (times === undefined || times.passedMs === 0) throw new Error('a fork was handed out past the gate');
  const { resumedMs, askedMs, answeredMs, passedMs, ownProcessorMs } = times;
  return {
    ...{ id, times, passedMs: passedMs - startMs, ownProcessorMs: ownProcessorMs - ownBeforeMs },
    gateMs: askedMs - resumedMs + (passedMs - answeredMs),
  };
}

/** What a program prints. @throws Error unless it ends with 0 */
export async function said({ engine }: Ground, id: string, ...argv: string[]): Promise<string> {
  const chunks: Buffer[] = [];
  const request: ExecRequest = { argv, timeout_ms: 120_000, max_output_octets: 1 << 16 };
  const end = await engine.exec(id, request, (_, octets) => void chunks.push(Buffer.from(octets))).ended;
  if (end.ok && end.exit_code === 0) return Buffer.concat(chunks).toString();
  throw new Error(`${argv[0]} did not run: ${end.error ?? end.exit_code ?? end.signal}`);
}

/** A sentence on a bound of the issue. */
export function bound(what: string, value: number, unit: string, isMet: boolean): string {
  const shown = Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
  return `bound: ${what}: ${shown} ${unit}, ${isMet ? 'met' : 'MISSED'}`;
}
