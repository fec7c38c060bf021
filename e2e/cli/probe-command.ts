/** `pnpm lab probe`: whether KVM runs a guest here, else TCG; by booting one, not by looking at a device. */
import type { Command } from 'commander';
import { defaultKernel, type GuestArtifacts, guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { bootGuest, probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { exitCodes } from './exit-codes.ts';

export interface ProbeFlags {
  readonly kernel: string;
  readonly json?: true;
}

/** Ten times what it takes on a machine that does nothing else. */
const bootDeadlineMs = 60_000;

export function addProbeOptions(command: Command): Command {
  return command
    .option('--kernel <name>', 'the kernel: see artifacts.lock.json', defaultKernel)
    .option('--json', 'the answer as JSON on stdout')
    .addHelpText(
      'after',
      '\nIt fetches and builds what guests boot from first, if that is not there: pnpm lab artifacts.' +
        '\n\nExamples:\n  pnpm lab probe\n  pnpm --silent lab probe --kernel 6.12-cloud --json',
    );
}

/** An error: what is pinned is neither in the cache nor to be fetched. */
async function pinnedArtifacts(kernel: string): Promise<GuestArtifacts | CodedError> {
  try {
    return await guestArtifacts(kernel);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'artifact-missing') return error;
    throw error;
  }
}

/** 0: a guest runs; 1: none does; 3: there is nothing to run it with, or nothing to boot. */
export async function probeCommand(flags: ProbeFlags): Promise<number> {
  const missing = microvmUnsupported();
  if (missing !== null) {
    process.stderr.write(`unsupported: ${missing.reason}\n  ${missing.remedy}\n`);
    return exitCodes.incomplete;
  }
  const { accelerator, reason } = await probeAccelerator();
  const artifacts = await pinnedArtifacts(flags.kernel);
  if (artifacts instanceof CodedError) {
    process.stderr.write(
      `unsupported: the archive lacks ${flags.kernel} as it is pinned: ${artifacts.message}\n  ${artifacts.remediation}\n`,
    );
    return exitCodes.incomplete;
  }
  const startMs = performance.now();
  const failure = await bootGuest(accelerator, artifacts, bootDeadlineMs);
  const seconds = (performance.now() - startMs) / 1_000;
  if (flags.json === true) {
    const answer = { v: 1, accelerator, reason, kernel: flags.kernel, runs: failure === null, seconds };
    process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  } else {
    const outcome = failure === null ? `answered in ${seconds.toFixed(1)} s` : `does not run: it ${failure}`;
    process.stdout.write(`${accelerator}: ${reason}\nguest on ${flags.kernel}: ${outcome}\n`);
  }
  return failure === null ? exitCodes.asDeclared : exitCodes.differs;
}
